#!/bin/sh
# What a container does: master, worker or history, or any other command, such as simglove or spark-submit.
# Hosts, ports, cores, memory and folders are told by Spark's own variables (SPARK_MASTER_HOST, SPARK_WORKER_CORES, ...).
set -eu

export JAVA_HOME="${JAVA_HOME:-$(simglove java-home)}"
spark=org.apache.spark.deploy
case "${1:?must be master, worker, history or a command}" in
master) exec spark-class "$spark.master.Master" ;;
worker) exec spark-class "$spark.worker.Worker" "${SPARK_MASTER_URL:?must be spark://HOST:PORT}" ;;
history) exec spark-class "$spark.history.HistoryServer" ;;
*) exec "$@" ;;
esac
