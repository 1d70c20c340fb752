# Each target sets up what it needs: a virtual environment of its own in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CORE = $(VENV)/.core
STAMP = $(VENV)/.installed
EXTRAS = $(VENV)/.extras
PIP = $(BIN)/python -m pip install -q --disable-pip-version-check
# after `make .venv/.extras` pip has nothing to do: targets may then run beside each other
NEW = test -e $(EXTRAS) || $(PIP)
# each process begins with tests that lie together, and sets up what they share once
PYTEST = $(BIN)/pytest -n 2 --dist worksteal
MODEL_TESTS = $(addprefix tests/,vectors/test_embed.py vectors/test_encode.py domains/test_views.py domains/test_train.py domains/test_ocr.py train/test_loader_torch.py vectors/test_encoders.py vectors/test_late.py corpora/test_laionet.py vectors/test_search.py vectors/test_align.py vectors/test_scores.py)
VERBS_OF_MODELS = $(foreach verb,embed views,'tests/core/test_outputs.py::test_what_a_user_has_survives_every_verb[$(verb)]')
TRAINER_TESTS = tests/train/test_trainers.py tests/train/test_grain.py tests/train/test_trainer_ranks.py
SPEECH_TESTS = tests/audit/test_asr.py
PAGE_TESTS = tests/release/test_catalogue_page.py tests/release/test_site_pages.py tests/audit/test_report_page.py tests/vectors/test_search_page.py
EXPORT_TESTS = tests/release/test_export_readers.py
# without their dependencies: clip-retrieval wants pandas, pyarrow and NumPy of years ago
READERS = webdataset==0.2.111 clip-retrieval==2.45.0 img2dataset==1.47.0 open-clip-torch==3.3.0 \
  mteb==2.26.24 polars==2.1.0 polars-runtime-32==2.1.0 \
  megatron-energon==7.4.1 multi-storage-client==1.3.1 aniso8601==10.0.1 attrs==26.1.0 blinker==1.9.0 \
  braceexpand==0.1.7 bracex==3.2.3 deprecation==2.1.0 exifread-nocycle==3.0.1 filetype==1.2.0 fire==0.7.1 \
  flask==3.1.3 flask-cors==6.0.5 flask-restful==0.3.10 h5py==3.16.0 itsdangerous==2.2.0 jmespath==1.1.0 \
  jsonschema==4.26.0 jsonschema-specifications==2025.9.1 lark==1.3.1 mfusepy==3.1.1 opentelemetry-api==1.45.2 \
  prettytable==3.18.0 prometheus-client==0.26.0 pyroute2==0.9.7 pytz==2026.6 rapidyaml==0.15.2 \
  referencing==0.37.0 rpds-py==2026.9.1 s3fs==2026.9.0 termcolor==3.3.0 wcmatch==12.0.1 werkzeug==3.1.9 \
  xattr==1.3.0 click==8.5.1 python-dateutil==4.0.0 tqdm==4.70.1 cffi==2.1.1 six==1.17.0

# other ones from 3.11 on, of Debian and of pyenv
OWN = $(shell $(PYTHON) -c 'import sys; print("python3.%d" % sys.version_info[1])')
PYTHONS = $(filter-out %/python3.10 %/$(OWN),$(wildcard /usr/bin/python3.1? $(HOME)/.pyenv/versions/*/bin/python3.1?))

.PHONY: demo docs notebooks screenshots release plan test test-cluster test-encoders test-trainers test-speech test-pages test-exports test-extras lint soak mutants bench test-lowest test-oldest-client test-newest-client test-package test-pythons test-pythons-suite clean

demo: $(CORE)  ## build every corpus's bundled sample and look at it
	$(BIN)/edge-glass build --out demo
	$(BIN)/edge-glass verify demo

docs: $(CORE)  ## the site, in build/site; the network is asked for nothing once its libraries are there
	$(NEW) -c requirements.lock -e '.[docs]'
	rm -rf build/docs .cache && $(BIN)/python docs/gather.py build/docs
	$(BIN)/zensical build --strict -f zensical.toml

notebooks: $(STAMP)  ## the notebooks, each run from end to end
	$(NEW) -c requirements.lock -e '.[notebooks-test]'
	$(BIN)/python docs/notebooks.py

screenshots: $(STAMP)  ## the pictures in docs/ (as test-pages)
	$(NEW) "$$(grep ^torch== requirements.lock)"
	$(NEW) -c requirements.lock -e '.[encoders-test,pages-test]'
	$(BIN)/python docs/screenshots.py

release: $(CORE)  ## tag this commit as the version that pyproject.toml names; CHANGELOG.md must have it
	git diff --quiet HEAD
	grep -q "^## $$($(BIN)/edge-glass -V) " CHANGELOG.md
	git tag -a "v$$($(BIN)/edge-glass -V)" -m "Edge Glass $$($(BIN)/edge-glass -V)"

test: $(STAMP)  ## the test suite, on two processes
	$(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

plan: $(STAMP)  ## the rooms of the engine and what they import from each other; no arrow up, no circle
	$(BIN)/python tests/support/rooms.py

$(CORE): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Edge Glass needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) -c requirements.lock -e '.[video]'
	rm -f $(EXTRAS)
	touch $@

$(STAMP): $(CORE)
	$(PIP) -c requirements.lock -e '.[test,lint]'
	touch $@

# torch by itself and at the locked version: a range takes the newest, with gigabytes of CUDA
$(EXTRAS): $(STAMP)
	$(PIP) "$$(grep ^torch== requirements.lock)"
	$(PIP) -c requirements.lock -e '.[docs,encoders-test,notebooks-test,pages-test,ray,speech-test,trainers-test]'
	$(PIP) --no-deps --upgrade --target $(VENV)/readers $(READERS)
	touch $@

test-cluster: $(STAMP)  ## builds and deduplication on two Ray nodes of this machine
	$(NEW) -c requirements.lock -e '.[ray]'
	$(BIN)/pytest -m slow tests/pipeline/test_cluster.py

test-encoders: $(STAMP)  ## encoders, views and text similarity: torch and transformers
	$(NEW) "$$(grep ^torch== requirements.lock)"
	$(NEW) -c requirements.lock -e '.[encoders-test]'
	$(PYTEST) $(MODEL_TESTS) $(VERBS_OF_MODELS)

test-trainers: $(STAMP)  ## batches in Trainer, accelerate, Lightning and torchdata, stopped and gone on with
	$(NEW) "$$(grep ^torch== requirements.lock)"
	$(NEW) -c requirements.lock -e '.[trainers-test]'
	$(PYTEST) $(TRAINER_TESTS)

test-speech: $(STAMP)  ## transcripts held against a real Whisper, from a package
	$(NEW) -c requirements.lock -e '.[speech-test]'
	$(BIN)/pytest $(SPEECH_TESTS)

build/site/index.html:
	$(MAKE) docs

test-pages: $(STAMP) build/site/index.html  ## the pages, in a headless Chromium (Debian: apt install chromium)
	$(NEW) "$$(grep ^torch== requirements.lock)"
	$(NEW) -c requirements.lock -e '.[encoders-test,pages-test]'
	$(PYTEST) $(PAGE_TESTS)

test-exports: $(STAMP)  ## exports, read by the packages that they are made for
	$(NEW) "$$(grep ^torch== requirements.lock)"
	$(NEW) -c requirements.lock -e '.[encoders-test]'
	$(NEW) --no-deps --upgrade --target $(VENV)/readers $(READERS)
	$(BIN)/pytest $(EXPORT_TESTS)

test-extras: $(EXTRAS) build/site/index.html  ## encoders, trainers, speech, pages and exports after one installation: what CI calls
	$(PYTEST) $(MODEL_TESTS) $(VERBS_OF_MODELS) $(TRAINER_TESTS) $(SPEECH_TESTS) $(PAGE_TESTS) $(EXPORT_TESTS)

test-package: $(CORE)  ## wheel and sdist, built and installed by itself: `pip install` is enough to build
	rm -rf dist .venv-package && $(PIP) build
	$(BIN)/python -m build --outdir dist
	$(PYTHON) -m venv .venv-package
	.venv-package/bin/python -m pip install -q --disable-pip-version-check -c requirements.lock dist/*.whl
	cd .venv-package && bin/edge-glass build clotho_sample mm_imdb_sample --out data && bin/edge-glass verify data

test-pythons: $(STAMP)  ## every other Python of this machine, and pyarrow 25, build the same bytes
	for python in $(PYTHONS); do venv=.venv-$$(basename $$python); \
	  $$python -m venv $$venv && $$venv/bin/python -m pip install -q --disable-pip-version-check \
	    -c requirements.lock -e '.[video]' || rm -rf $$venv; done
	$(PYTHON) -m venv .venv-pyarrow25 && grep -v ^pyarrow= requirements.lock >.venv-pyarrow25/others.txt
	.venv-pyarrow25/bin/python -m pip install -q --disable-pip-version-check \
	  -c .venv-pyarrow25/others.txt -e '.[video]' pyarrow==25.0.1
	$(BIN)/pytest tests/pipeline/test_same_bytes.py

# SUITE: what of it, e.g. tests/core; all of it takes as long as `make test` for each of them
test-pythons-suite:  ## the test suite on every other Python of this machine
	for python in $(PYTHONS); do venv=.venv-$$(basename $$python); \
	  $$python -m venv $$venv && $$venv/bin/python -m pip install -q --disable-pip-version-check \
	    -c requirements.lock -e '.[test]' && $$venv/bin/pytest -n 2 $(SUITE) || exit 1; done

soak: $(STAMP)  ## the longer checks: a thousand kills, 2,000 flipped bits, many names; a million URLs (nginx)
	$(PIP) -c requirements.lock -e '.[ray]'
	$(BIN)/pytest -m slow -o faulthandler_timeout=3600
	$(BIN)/python benchmarks/kills.py
	$(BIN)/python benchmarks/flips.py
	$(BIN)/python benchmarks/soak.py

# MUTANTS: modules, and --digits 3 for a tenth of their mutants; whole, it takes hours
mutants: $(STAMP)  ## faults planted in the core one at a time, and whether the tests notice
	$(PIP) mutmut==3.8.1
	$(BIN)/python benchmarks/mutants.py $(MUTANTS)

bench: $(STAMP)  ## every benchmark at full size, beside its peers: a quarter of an hour and more
	$(PIP) -c requirements.lock -e '.[bench]'
	$(BIN)/python benchmarks/clotho.py --clips 400 --memory 1600 --rounds 3
	$(BIN)/python benchmarks/shards.py --rows 5000 --rounds 7
	$(BIN)/python benchmarks/librispeech.py
	$(BIN)/python benchmarks/light.py
	$(BIN)/python benchmarks/match.py
	$(BIN)/python benchmarks/slides.py
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -q --disable-pip-version-check img2dataset==1.47 rich
	$(PIP) requests
	$(BIN)/python benchmarks/fetch.py --images 5000 --rounds 3 --peer .venv-peers/bin/python
	$(BIN)/python benchmarks/dedup.py --rows 5000000
	.venv-peers/bin/python -m pip install -q --disable-pip-version-check numpy pillow torch==2.13.0
	.venv-peers/bin/python -m pip install -q --disable-pip-version-check --no-deps 'torchvision==0.28.*'
	$(BIN)/python benchmarks/views.py --images 100 --same 300 --peer .venv-peers/bin/python
	$(BIN)/python benchmarks/layout.py
	$(PIP) --no-deps pyfastcdc==0.3.1
	$(BIN)/python benchmarks/versions.py
	$(PYTHON) -m venv .venv-readers
	.venv-readers/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0
	.venv-readers/bin/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[train]' \
	  webdataset==1.0.2 pylance==14.0.2 brotli psutil requests scikit-image transformers zstd
	.venv-readers/bin/python -m pip install -q --disable-pip-version-check --no-deps litdata==0.2.76 \
	  lightning-utilities mosaicml-streaming==0.13.0 'torchvision==0.28.*' \
	  boto3 botocore s3transfer jmespath python-dateutil python-snappy cramjam catalogue
	$(BIN)/python benchmarks/read.py --rows 5000 --peer .venv-readers/bin/python
	$(PIP) "$$(grep ^torch== requirements.lock)"
	$(PIP) -c requirements.lock -e '.[encoders-test]'
	$(PYTHON) -m venv .venv-faiss
	.venv-faiss/bin/python -m pip install -q --disable-pip-version-check autofaiss==2.18.0 faiss-cpu==1.9.0.post1 'pyarrow<23' usearch rich
	$(BIN)/python benchmarks/search.py --real .venv/minilm.npy --peer .venv-faiss/bin/python

# test_hub.py is left out: it holds the Hub for tests against what the newest client does; and the
# oldest client asks the Hub itself whether a card is valid
test-lowest: pyproject.toml requirements-lowest.txt requirements-lowest-models.txt  ## the suite with the oldest libraries we claim
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install -q -c requirements-lowest.txt -e '.[test]'
	.venv-lowest/bin/pytest -n 2 --ignore tests/release/test_hub.py \
	  --deselect tests/release/test_release_files.py::test_the_card_passes_the_hubs_own_validation
	$(PYTHON) -m venv .venv-lowest-models
	.venv-lowest-models/bin/python -m pip install -q "$$(grep ^torch== requirements.lock)"
	.venv-lowest-models/bin/python -m pip install -q -c requirements-lowest-models.txt -e '.[test,encoders-test,speech-test]'
	.venv-lowest-models/bin/pytest -n 2 tests/audit/test_asr.py $(MODEL_TESTS)

# the samples are published to the Hub for tests, then read by a client with nothing of ours
test-newest-client: $(STAMP)
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install -q --disable-pip-version-check -U datasets
	$(BIN)/python tests/support/old_client.py .venv-newest/bin/python

test-oldest-client: $(STAMP)
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install -q --disable-pip-version-check datasets==2.14.7 \
	  huggingface_hub==0.19.4 fsspec==2023.10.0 numpy==1.26.4 pyarrow==14.0.2
	$(BIN)/python tests/support/old_client.py .venv-oldest/bin/python

clean:
	rm -rf $(VENV) .venv-* demo build dist *.egg-info
