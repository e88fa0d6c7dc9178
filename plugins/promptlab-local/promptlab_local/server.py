"""The child: serves one model on loopback until the process that started it is gone. Run by its path, it imports nothing of promptlab."""

import json
import os
import sys
import threading

CONTEXT = 4096  # tokens of all questions and replies that are worked on at once
PARALLEL = 2  # questions at once, each with half of the context; more would share the same cores


def main() -> None:
    """Serve what the first line of stdin asks for, say the address on stdout, end when stdin ends."""
    asked = json.loads(sys.stdin.readline())
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what llama.cpp prints goes to the log: on stdout it would be taken for the address
    watch = threading.Thread(target=_end_with_parent, daemon=True)
    watch.start()

    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path, wanted.model_alias = asked["path"], [asked["model"]]
    wanted.hostnames, wanted.port = ["127.0.0.1"], 0  # the system picks a free one
    wanted.api_keys = [asked["key"]]
    wanted.n_ctx, wanted.n_parallel = CONTEXT, PARALLEL
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = asked["threads"]
    wanted.ui = wanted.endpoint_slots = False
    wanted.cache_ram_mib = 0  # questions are asked once; the default keeps up to 8 GB of old ones
    server = xllamacpp.Server(wanted)  # comes back once the model is loaded
    said.write(f"{server.listening_address}\n")
    said.close()
    watch.join()


def _end_with_parent() -> None:
    """Blocks until the other end of stdin is closed, by intent or because its process was killed; then ends this one at once."""
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
