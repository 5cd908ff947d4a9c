"""Plugins by name."""

from __future__ import annotations


def found(host):
    return {record.name: record for record in host.plugins if "dist-" in record.distribution}
