#!/bin/sh
# Runs a program killed.c that kills itself, and the same once more that does not.
"$1" kill "$2"
exec "$1" live "$2"
