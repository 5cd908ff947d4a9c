"""Plugins found, guarded and asked; core knows none of them by name."""

from onlay.host.plugin_host import KINDS, PluginHost, PluginRecord

__all__ = ["KINDS", "PluginHost", "PluginRecord"]
