#!/bin/sh
# Starts a program and waits for it, as scripts do that end with something else.
"$@"
echo "it ended with $?"
