@0xb7d3a1c5e9f02468;

struct Entry {
  key @0 :Text;
  value @1 :Int64;
}

struct Record {
  id @0 :Int64;
  serial @1 :Int64;
  delta @2 :Int64;
  name @3 :Text;
  title @4 :Text;
  city @5 :Text;
  tags @6 :List(Text);
  scores @7 :List(Int64);
  point @8 :List(Int64);
  bounds @9 :List(Float64);
  ratio @10 :Float64;
  price @11 :Float64;
  active @12 :Bool;
  deleted @13 :Bool;
  parent :union {
    none @14 :Void;
    id @15 :Int64;
  }
  digest @16 :Data;
  attributes @17 :List(Entry);
}

interface Target {
  echo @0 (value :Int64) -> (value :Int64);
}

interface Root extends(Target) {
  record @0 (value :Record) -> (value :Record);
  ints @1 (value :List(Int64)) -> (value :List(Int64));
  records @2 (value :List(Record)) -> (value :List(Record));
  octets @3 (value :Data) -> (value :Data);
  make @4 () -> (target :Target);
  back @5 (target :Target, value :Int64) -> (value :Int64);
}
