#!/usr/bin/env python3
"""`curl -s URL` in one file, for machines without curl."""

import sys
import urllib.error
import urllib.request

try:
    answer = urllib.request.urlopen("http://" + sys.argv[-1].removeprefix("http://"), timeout=10)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
