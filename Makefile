# Names for the commands; nothing that only make can do.
.PHONY: install test lint docs site ci

install:
	pip install '.[dev]'

test:
	pytest

lint:
	ruff format --check src tests benchmarks docs examples
	ruff check src tests benchmarks docs examples
	pyright

docs:
	python docs/make.py

site:
	python docs/make_site.py

ci:
	.ci/run
