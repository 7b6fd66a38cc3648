# SPDX-License-Identifier: LGPL-2.1-or-later
# Everything from a bare Debian 12 machine: `make demo` and `make test`. Root or sudo installs packages.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# guestfs, hivex and libvirt for Python exist only for the distribution's own Python.
PYTHON ?= /usr/bin/python3
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
BIN := .venv/bin
# For the program itself, for the guests that fixtures/ builds, and for the tests.
PACKAGES := python3-venv python3-asn1crypto python3-cryptography python3-guestfs python3-hivex python3-jinja2 python3-libnbd python3-libvirt python3-lxml python3-lz4 python3-pycdlib \
	python3-tqdm python3-yaml python3-zstandard libguestfs-tools libguestfs-xfs linux-image-cloud-amd64 ovmf \
	nbdkit nbdkit-plugin-python openssh-client openssh-server openssl python3-xxhash python3-libvhdi qemu-system-x86 qemu-utils seabios osinfo-db \
	mmdebstrap debian-archive-keyring zstd dosfstools e2fsprogs btrfs-progs ntfs-3g fdisk genisoimage \
	busybox-static kmod libarchive-tools codespell shellcheck libvirt-clients libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system \
	dnsmasq-base iptables iproute2 libxml2-utils lzop python3-selinux \
	grub-common grub-pc-bin grub-efi-amd64-bin mtools xva-img wine wine64 golang-go golang-github-vmware-govmomi-dev libnbd-bin mandoc chromium zsh
OUT ?= demo

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

.PHONY: setup
setup: .venv/.ready ## install packages and leave the program at .venv/bin/v2v

.venv/.ready: Makefile pyproject.toml
	@if ! dpkg-query -W -f='$${db:Status-Status}\n' $(PACKAGES) 2>&1 \
		| awk '$$0 != "installed" { other = 1 } END { exit other }'; then \
		$(SUDO) apt-get update -q; \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q -y --no-install-recommends $(PACKAGES); \
	fi
	@$(PYTHON) -m venv --system-site-packages .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: fixtures
fixtures: setup ## build all real guests (kept outside the checkout)
	@$(BIN)/python -m fixtures.build --all

.PHONY: sources
sources: fixtures ## boot all real guests on the hardware they come from
	@$(BIN)/pytest -n 2 -m every

.PHONY: demo
demo: setup ## convert a real Xen guest and prove that it boots
	@guest=$$($(BIN)/python -m fixtures.build xen-web); \
	$(BIN)/v2v report "$$guest/xen-web.cfg" -os .; \
	mkdir -p $(OUT); \
	[ -e $(OUT)/xen-web.xml ] || $(BIN)/v2v convert "$$guest/xen-web.cfg" -o local -os $(OUT); \
	$(BIN)/v2v verify $(OUT)/xen-web.xml

.PHONY: check
check: setup ## lint, types and unit tests; under a minute
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@git ls-files -z | xargs -0 codespell --quiet-level 35 --ignore-words-list hda,conectix,msdos,fo,optin,sav,splitted,sorce,brige
	@$(BIN)/mypy
	@$(BIN)/pytest -q -n 2 -m 'not guest and not programs'

.PHONY: test
test: check ## the whole suite, some real guests included
	@$(BIN)/pytest -q --durations 20 -n 2 -m 'programs and not guest'
	@$(BIN)/python -m fixtures.build xen-web xen-xva esx-app esx-chain esx-alma9 xen-sles15 luks systemd-boot three-kernels
	@$(BIN)/pytest -v --durations 20 -n 2 --dist loadgroup -m 'guest and not every'

.PHONY: manual
manual: setup ## write manual pages and completions from the options and docs/manual
	@$(BIN)/python -m tests.manual

.PHONY: bench
bench: setup ## compare with qemu-img and the installed virt-v2v, side by side
	@dpkg-query -W virt-v2v > /dev/null 2>&1 || $(SUDO) apt-get install -q -y --no-install-recommends virt-v2v
	@$(BIN)/python -m tests.bench_xva
	@$(BIN)/python -m tests.bench

.PHONY: windows
windows: setup ## compare with the installed virt-v2v what becomes of Windows guests
	@dpkg-query -W virt-v2v > /dev/null 2>&1 || $(SUDO) apt-get install -q -y --no-install-recommends virt-v2v
	@$(BIN)/python -m tests.windows_differences

.PHONY: matrix
matrix: fixtures ## convert and boot every real guest, and write docs/matrix.md
	@$(BIN)/python -m tests.matrix

.PHONY: clean
clean: ## remove what setup and the tests made in the checkout
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build *.egg-info $(OUT)
	@find . -name __pycache__ -prune -exec rm -rf {} +
