#!/usr/bin/env bash
# Trains on a Cloud TPU slice: one process on each of its hosts, in a container of the image of launch/Dockerfile.
#     gcloud compute tpus tpu-vm create NAME --zone=ZONE --accelerator-type=TYPE --version=VERSION
#     IMAGE=REGION-docker.pkg.dev/PROJECT/REPOSITORY/gan-jax launch/tpu_vm.sh NAME ZONE train --config=... --workdir=gs://...
#     launch/tpu_vm.sh NAME ZONE log      what process 0 says
#     launch/tpu_vm.sh NAME ZONE stop     training saves and ends; the same train command goes on
#     launch/tpu_vm.sh NAME ZONE status   whether each host trains, and the exit code of one that has ended
# `ssh-add ~/.ssh/google_compute_engine` first: gcloud speaks to all hosts at once. The hosts' service account reads the
# image and writes to the bucket.
set -euo pipefail

if (($# < 3)); then
  echo "usage: launch/tpu_vm.sh NAME ZONE train|log|stop|status [words of gan-jax train]" >&2
  exit 2
fi
name=$1 zone=$2 verb=$3
shift 3

on() { # HOSTS COMMAND
  gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker="$1" --command="$2"
}

case $verb in
train)
  image=${IMAGE:?the image to train in, such as REGION-docker.pkg.dev/PROJECT/REPOSITORY/gan-jax}
  words=$(printf ' %q' train --cluster=auto "$@")
  login="gcloud auth print-access-token | sudo docker login --username=oauth2accesstoken --password-stdin ${image%%/*}"
  run="sudo docker run --detach --name=gan-jax --pull=always --privileged --net=host --shm-size=16g $image$words"
  on all "$login && { sudo docker rm gan-jax; $run; }" # docker refuses both while a container of that name runs
  ;;
log) on 0 "sudo docker logs --follow gan-jax" ;;
stop) on all "sudo docker stop --time=300 gan-jax" ;;
status) on all "sudo docker inspect --format='{{.State.Status}}, exit code {{.State.ExitCode}}' gan-jax" ;;
*)
  echo "$verb is not train, log, stop or status" >&2
  exit 2
  ;;
esac
