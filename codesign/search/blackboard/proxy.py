"""Serves a storage to other machines by Optuna's gRPC proxy."""

from __future__ import annotations

import warnings

from codesign.errors import ConfigError, StorageError, ToolNotFound
from codesign.search.blackboard.storage import Store, check_shared

__all__ = ["serve"]


def serve(storage: str, *, host: str, port: int) -> None:
    """Serve `storage` at host:port until this process is stopped.

    Other processes may work on a journal file itself at the same time. There is no password and no encryption.
    """
    if storage.startswith("grpc:"):
        raise ConfigError("a proxy cannot serve another proxy: give the storage that it serves")
    check_shared(storage)
    store = Store(storage)
    try:
        from optuna.storages import run_grpc_proxy_server

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_grpc_proxy_server(store.backend, host=host, port=port)
    except ImportError as problem:
        raise ToolNotFound(f"the proxy needs the package {problem.name!r}: `pip install 'codesign[scale]'`") from None
    except RuntimeError as problem:
        raise StorageError(f"cannot listen at {host}:{port}: {problem}") from None
    finally:
        store.close()
