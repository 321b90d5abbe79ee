"""Whoever computes has one thread, the setting is put back, and others may set it afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from veriloop.models.embedded.threads import one_thread


def threads() -> set[int]:
    """The threads that numpy's libraries have now."""
    assert np.ones((2, 2)).sum() == 4
    found = ThreadpoolController().select(user_api="blas").info()
    return {each["num_threads"] for each in found if "numpy" in each["filepath"]}


def alone() -> set[int]:
    with one_thread():
        return threads()


def test_a_worker_has_one_thread_and_puts_the_setting_back():
    before = threads()
    with ThreadPoolExecutor(1) as worker:
        assert worker.submit(alone).result() == {1}
        assert threads() == before
        with threadpool_limits(limits=1, user_api="blas"):  # the worker has let go: this thread may set it
            assert threads() == {1}
    assert threads() == before


def test_a_failing_batch_puts_it_back_too():
    before = threads()
    with pytest.raises(ValueError, match="broken"), one_thread():
        raise ValueError("broken")
    assert threads() == before
