"""Which of CPython's own tests of managers is which of ours: an operation that it tests is tested here.

Those of ``test._test_multiprocessing`` are meant that run with a manager; they stand for one release and the next.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CONTAINERS, WAITING, CUSTOMIZED, POOL = (
    f"test_manager_{name}" for name in ("containers", "waiting", "customized", "pool")
)

#: For each test of theirs where ours is, and its name; or in one text why there is none.
OURS: dict[str, tuple[str, str] | str] = {
    # Containers.
    "_TestContainers.test_list": (CONTAINERS, "test_list_operations"),
    "_TestContainers.test_list_iter": (CONTAINERS, "test_iterating_a_list"),
    "_TestContainers.test_list_proxy_in_list": (CONTAINERS, "test_lists_in_lists"),
    "_TestContainers.test_dict": (CONTAINERS, "test_dictionary_operations"),
    "_TestContainers.test_dict_iter": (CONTAINERS, "test_iterating_a_dictionary"),
    "_TestContainers.test_dict_proxy_nested": (CONTAINERS, "test_dictionaries_in_dictionaries"),
    "_TestContainers.test_nested_queue": (CONTAINERS, "test_queues_in_containers"),
    "_TestContainers.test_namespace": (CONTAINERS, "test_namespace_operations"),
    # Queues.
    "_TestQueue.test_put": (WAITING, "test_putting"),
    "_TestQueue.test_get": (WAITING, "test_getting"),
    "_TestQueue.test_fork": (WAITING, "test_a_queue_that_was_used_goes_to_a_process"),
    "_TestQueue.test_qsize": (WAITING, "test_the_size_of_a_queue"),
    "_TestQueue.test_task_done": (WAITING, "test_joining_a_queue"),
    "_TestQueue.test_timeout": (WAITING, "test_getting"),
    "_TestQueue.test_no_import_lock_contention": "of queues over pipes, whose thread feeds them",
    "_TestQueue.test_queue_feeder_donot_stop_onexc": "of queues over pipes, whose thread feeds them",
    "_TestQueue.test_queue_feeder_on_queue_feeder_error": "of queues over pipes, whose thread feeds them",
    "_TestQueue.test_closed_queue_empty_exceptions": "of queues over pipes, which are closed",
    "_TestQueue.test_closed_queue_put_get_exceptions": "of queues over pipes, which are closed",
    # Locks.
    "_TestLock.test_lock": (WAITING, "test_lock_operations"),
    "_TestLock.test_rlock": (WAITING, "test_rlock_operations"),
    "_TestLock.test_lock_context": (WAITING, "test_lock_operations"),
    "_TestSemaphore.test_semaphore": (WAITING, "test_semaphore_operations"),
    "_TestSemaphore.test_bounded_semaphore": (WAITING, "test_semaphore_operations"),
    "_TestSemaphore.test_timeout": (WAITING, "test_semaphore_operations"),
    "_TestCondition.test_notify": (WAITING, "test_notifying_one"),
    "_TestCondition.test_notify_all": (WAITING, "test_notifying_all"),
    "_TestCondition.test_notify_n": (WAITING, "test_notifying_some"),
    "_TestCondition.test_timeout": (WAITING, "test_waiting_for_a_condition"),
    "_TestCondition.test_waitfor": (WAITING, "test_waiting_for_something_to_be_true"),
    "_TestCondition.test_waitfor_timeout": (WAITING, "test_waiting_in_vain_for_something_to_be_true"),
    "_TestCondition.test_wait_result": (WAITING, "test_waiting_for_a_condition"),
    "_TestEvent.test_event": (WAITING, "test_event_operations"),
    "_TestEvent.test_repr": (WAITING, "test_the_text_of_an_event"),
    "_TestBarrier.test_barrier": (WAITING, "test_a_barrier_is_passed_together"),
    "_TestBarrier.test_barrier_10": (WAITING, "test_a_barrier_is_passed_together"),
    "_TestBarrier.test_wait_return": (WAITING, "test_each_gets_a_number_at_a_barrier"),
    "_TestBarrier.test_action": (WAITING, "test_the_action_of_a_barrier"),
    "_TestBarrier.test_abort": (WAITING, "test_a_barrier_that_is_aborted"),
    "_TestBarrier.test_reset": (WAITING, "test_a_barrier_that_is_reset"),
    "_TestBarrier.test_abort_and_reset": (WAITING, "test_a_barrier_that_is_reset_after_it_was_aborted"),
    "_TestBarrier.test_timeout": (WAITING, "test_one_is_late_at_a_barrier"),
    "_TestBarrier.test_default_timeout": (WAITING, "test_one_is_late_at_a_barrier"),
    "_TestBarrier.test_single_thread": (WAITING, "test_a_barrier_for_one"),
    "_TestBarrier.test_thousand": "not with managers",
    # Pools.
    "_TestPool.test_apply": (POOL, "test_one_call"),
    "_TestPool.test_map": (POOL, "test_many_calls"),
    "_TestPool.test_starmap": (POOL, "test_many_calls"),
    "_TestPool.test_starmap_async": (POOL, "test_many_calls"),
    "_TestPool.test_map_async": (POOL, "test_many_calls"),
    "_TestPool.test_map_async_callbacks": (POOL, "test_callbacks"),
    "_TestPool.test_map_unplicklable": (POOL, "test_arguments_are_there_before"),
    "_TestPool.test_map_chunksize": (POOL, "test_nothing_to_do"),
    "_TestPool.test_map_handle_iterable_exception": "not with managers",
    "_TestPool.test_async": (POOL, "test_results_to_be"),
    "_TestPool.test_async_timeout": (POOL, "test_results_to_be"),
    "_TestPool.test_imap": (POOL, "test_iterators"),
    "_TestPool.test_imap_handle_iterable_exception": "not with managers",
    "_TestPool.test_imap_unordered": (POOL, "test_iterators"),
    "_TestPool.test_imap_unordered_handle_iterable_exception": "not with managers",
    "_TestPool.test_make_pool": (POOL, "test_what_cannot_be_made"),
    "_TestPool.test_terminate": (POOL, "test_the_end"),
    "_TestPool.test_empty_iterable": (POOL, "test_nothing_to_do"),
    "_TestPool.test_context": (POOL, "test_the_end"),
    "_TestPool.test_traceback": (POOL, "test_exceptions"),
    "_TestPool.test_wrapped_exception": (POOL, "test_exceptions"),
    "_TestPool.test_map_no_failfast": (POOL, "test_exceptions"),
    "_TestPool.test_release_task_refs": "of copies by pickle, which hold on to nothing here",
    "_TestPool.test_enter": "not with managers",
    "_TestPool.test_resource_warning": "not with managers",
    # Managers.
    "_TestMyManager.test_mymanager": (CUSTOMIZED, "test_started_and_shut_down"),
    "_TestMyManager.test_mymanager_context": (CUSTOMIZED, "test_as_a_context"),
    "_TestMyManager.test_mymanager_context_prestarted": (CUSTOMIZED, "test_as_a_context_when_it_was_started"),
    "_TestRemoteManager.test_remote": (CUSTOMIZED, "test_from_another_process"),
    "_TestManagerRestart.test_rapid_restart": (CUSTOMIZED, "test_restarted_at_once_at_the_same_address"),
    "TestManagerExceptions.test_queue_get": (CUSTOMIZED, "test_exceptions_go_without_the_collector"),
    "TestManagerExceptions.test_dispatch": (CUSTOMIZED, "test_exceptions_go_without_the_collector"),
    "TestInitializers.test_manager_initializer": (CUSTOMIZED, "test_an_initializer_of_a_manager"),
    "TestInitializers.test_pool_initializer": (CUSTOMIZED, "test_an_initializer_of_a_pool_of_processes"),
    "_TestImportStar.test_import": (CUSTOMIZED, "test_every_name_that_is_said_to_be_there_is"),
    # Every type in another process.
    "TestSyncManagerTypes.test_event": (WAITING, "test_an_event_in_a_process"),
    "TestSyncManagerTypes.test_lock": (WAITING, "test_what_a_process_holds_is_released_when_it_ends"),
    "TestSyncManagerTypes.test_rlock": (WAITING, "test_a_lock_in_a_process"),
    "TestSyncManagerTypes.test_semaphore": (WAITING, "test_what_a_process_holds_is_released_when_it_ends"),
    "TestSyncManagerTypes.test_bounded_semaphore": (WAITING, "test_what_a_process_holds_is_released_when_it_ends"),
    "TestSyncManagerTypes.test_condition": (WAITING, "test_a_lock_in_a_process"),
    "TestSyncManagerTypes.test_barrier": (WAITING, "test_a_barrier_in_a_process"),
    "TestSyncManagerTypes.test_pool": (POOL, "test_a_pool_in_a_process"),
    "TestSyncManagerTypes.test_queue": (WAITING, "test_a_queue_in_a_process"),
    "TestSyncManagerTypes.test_joinable_queue": (WAITING, "test_a_queue_in_a_process"),
    "TestSyncManagerTypes.test_list": (CONTAINERS, "test_a_list_in_a_process"),
    "TestSyncManagerTypes.test_dict": (CONTAINERS, "test_a_dictionary_in_a_process"),
    "TestSyncManagerTypes.test_value": (CONTAINERS, "test_numbers_and_names_in_a_process"),
    "TestSyncManagerTypes.test_array": (CONTAINERS, "test_numbers_and_names_in_a_process"),
    "TestSyncManagerTypes.test_namespace": (CONTAINERS, "test_numbers_and_names_in_a_process"),
}


def names_in(path: Path) -> dict[str, set[str]]:
    """Return the names of the tests in a file, by class; those of none by the empty text."""
    found: dict[str, set[str]] = {"": set()}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found[""].add(node.name)
    return found


def test_all_of_ours_are_there() -> None:
    ours = {module: names_in(HERE / f"{module}.py")[""] for module in (CONTAINERS, WAITING, CUSTOMIZED, POOL)}
    missing = [where for where in OURS.values() if not isinstance(where, str) and where[1] not in ours[where[0]]]
    assert missing == []


def test_all_of_theirs_are_named() -> None:
    spec = importlib.util.find_spec("test")
    places = [Path(place) / "_test_multiprocessing.py" for place in (spec and spec.submodule_search_locations) or ()]
    found = [place for place in places if place.exists()]
    if not found:
        pytest.skip("CPython's tests are not installed")
    theirs = names_in(found[0])
    named = {name.partition(".")[0] for name in OURS}
    # An old release has fewer, and one to come has more.
    assert "_TestContainers" in theirs
    missing = {f"{cls}.{name}" for cls in named for name in theirs.get(cls, ()) if name.startswith("test_")} - set(OURS)
    assert missing == set() or sys.version_info >= (3, 14)
