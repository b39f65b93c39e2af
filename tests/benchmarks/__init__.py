"""What broker costs, measured beside its peers: `python -m tests.benchmarks --help`.

Theory of operation. Each peer is one small module under `peers/` with a server half and a client half, see `port`.
For every peer that is measured, the harness (`runner`) starts two workers (`worker`): processes that speak JSON lines
over their standard streams, the server on the first core, the client on the last. A *cell* is one workload of one peer
in one round; the peers take turns within a round, so that a machine that becomes slower does so for all of them. Only
the ratios within one run mean anything.
"""
