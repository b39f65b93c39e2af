"""Fixture classes for the PB wire vectors (module name appears on the wire)."""
from broker.spread import pb
from twisted.internet import defer

class Pond(pb.Copyable, pb.RemoteCopy):
    def __init__(self, frogs): self.frogs = frogs
pb.setUnjellyableForClass(Pond, Pond)

class Node(pb.Copyable, pb.RemoteCopy):
    pass
pb.setUnjellyableForClass(Node, Node)

class Tagged(pb.Copyable):
    """custom type tag"""
    def getTypeToCopy(self): return b"my-tag"
    def getStateToCopy(self): return {"v": 1}
class TaggedCopy(pb.RemoteCopy): pass
pb.setUnjellyableForClass("my-tag", TaggedCopy)

class ListState(pb.Copyable, pb.RemoteCopy):
    """state need not be a dict"""
    def getStateToCopy(self): return [1, "two"]
    def setCopyableState(self, state): self.state = state
pb.setUnjellyableForClass(ListState, ListState)

class Stock(pb.Cacheable):
    def __init__(self): self.price = 10; self.observers = []
    def getStateToCacheAndObserveFor(self, perspective, observer):
        self.observers.append(observer)
        return {"price": self.price}
    def set(self, price):
        self.price = price
        return defer.gatherResults([o.callRemote("setPrice", price) for o in self.observers])
    def stoppedObserving(self, perspective, observer):
        self.stopped = True
        self.observers.remove(observer)
class RemoteStock(pb.RemoteCache):
    def setCopyableState(self, state): self.__dict__.update(state)
    def observe_setPrice(self, price): self.price = price
pb.setUnjellyableForClass(Stock, RemoteStock)

class ExpectedError(pb.Error): pass
class UnexpectedError(Exception): pass
class JellyError(pb.Jellyable, pb.Error, pb.RemoteCopy): pass
pb.setUnjellyableForClass(JellyError, JellyError)

class Two(pb.Referenceable):
    def remote_three(self, arg): return arg * 3

class Root(pb.Root):
    def __init__(self):
        self.two = Two(); self.stock = Stock(); self.kept = []
    def remote_echo(self, *a, **kw):
        if kw: return (a, kw)
        return a[0] if len(a) == 1 else a
    def remote_note(self, x): self.noted = x
    def remote_expected(self): raise ExpectedError("expected", 42)
    def remote_expectedLater(self): return defer.fail(ExpectedError("later"))
    def remote_bare(self): raise pb.Error("bare pb.Error")
    def remote_jellyError(self):
        e = JellyError("x"); e.code = 7
        raise e
    def remote_unexpected(self): raise UnexpectedError("oops")
    def remote_unexpectedLater(self): return defer.fail(UnexpectedError("oops later"))
    def remote_getTwo(self): return self.two
    def remote_isTwo(self, x): return x is self.two
    def remote_callMe(self, ref): return ref.callRemote("three", 5)
    def remote_hold(self, ref): self.kept.append(ref)
    def remote_release(self): self.kept[:] = []
    def remote_getStock(self): return self.stock
    def remote_isStock(self, s): return s is self.stock
    def remote_pond(self): return Pond(12)
    def remote_unknownInstance(self): return Opaque()
    def remote_pages(self, collector):
        from broker.spread import util
        util.StringPager(collector, b"abcdefgh", 3)
class Opaque: pass
class V(pb.Viewable):
    def view_who(self, perspective, *a): return perspective.name
class MyAvatar(pb.Avatar):
    def __init__(self, name): self.name = name
    def perspective_hello(self, x): return "hello %s %s" % (self.name, x)
    def perspective_getView(self): return V()
