# Short names for the tools; everything works without make as well.
.PHONY: setup run test check bench
setup run test:
	@tools/$@ $(ARGS)
check:
	@.ci/run
bench:
	@tools/setup && . tools/env && python -P benchmarks/bench_step.py $(ARGS)
