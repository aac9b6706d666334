"""What the process of the Sail server runs: ``python -m simglove_spark.engines.sail_server SLOTS``.

It writes its port to standard output, and ends when its standard input does: with the process that started it, however that ends.
"""

import os
import signal
import sys

from simglove_spark.engines import turns


def serve(slots: int) -> None:
    """Serve Spark Connect on a free port of 127.0.0.1 until standard input ends."""
    from pysail.spark import SparkConnectServer

    turns.limit(slots)
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    sys.stdout.buffer.write(f"{server.listening_address[1]}\n".encode())
    sys.stdout.flush()
    from simglove_spark.warm_up import count_a_line, start_warm_up

    start_warm_up(count_a_line)  # while the client imports what it needs, and plans
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGKILL)  # threads at work in a kernel cannot be ended one by one


if __name__ == "__main__":
    serve(int(sys.argv[1]))
