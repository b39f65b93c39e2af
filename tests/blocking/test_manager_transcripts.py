"""What the pages of `processing` show at the prompt, as it stands there but for Python 3's spelling."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from broker.blocking import Manager

PROXIES = """
>>> manager = Manager()
>>> l = manager.list([i*i for i in range(10)])
>>> print(l)
[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
>>> print(repr(l))
<... at ...>
>>> l[4]
16
>>> l[2:5]
[4, 9, 16]
>>> l == [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
True
"""

NESTED = """
>>> a = manager.list()
>>> b = manager.list()
>>> a.append(b)         # referent of `a` now contains referent of `b`
>>> print(a, b)
[[]] []
>>> b.append('hello')
>>> print(a, b)
[['hello']] ['hello']
"""

# A dictionary has another order than in Python 2.
ITERATED = """
>>> a = manager.dict([(i*i, i) for i in range(10)])
>>> for key in a:
...     print('<%r,%r>' % (key, a[key]), end=' ')
...
<0,0> <1,1> <4,2> <9,3> <16,4> <25,5> <36,6> <49,7> <64,8> <81,9>
"""

# There is no `__getslice__` any more.
CALLED = """
>>> l = manager.list(range(10))
>>> l._callmethod('__getitem__', (slice(2, 7),))   # equiv to `l[2:7]`
[2, 3, 4, 5, 6]
>>> l._callmethod('__iter__')               # equiv to `iter(l)`
<...>
>>> l._callmethod('__getitem__', (20,))     # equiv to `l[20]`
Traceback (most recent call last):
    ...
IndexError: list index out of range
"""

NAMESPACE = """
>>> Global = manager.Namespace()
>>> Global.x = 10
>>> Global.y = 'hello'
>>> Global._z = 12.3    # this is an attribute of the proxy
>>> print(Global)
Namespace(x=10, y='hello')
>>> manager.shutdown()
"""


def test_in_one_session(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"Manager": Manager}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for text in (PROXIES, NESTED, ITERATED, CALLED, NAMESPACE):
        test = doctest.DocTestParser().get_doctest(text, names, "processing", None, 0)
        # What is there at the end is there for the next one.
        runner.run(test, clear_globs=False)
        names = test.globs
    assert runner.summarize(verbose=False) == (0, 25), capsys.readouterr().out
