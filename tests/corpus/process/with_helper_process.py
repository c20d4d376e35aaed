import multiprocessing
import time

FORK = multiprocessing.get_context("fork")
SERVER = None


def server():
    global SERVER
    if SERVER is None:
        SERVER = FORK.Process(target=time.sleep, args=(60,), daemon=True)
        SERVER.start()
    return SERVER
