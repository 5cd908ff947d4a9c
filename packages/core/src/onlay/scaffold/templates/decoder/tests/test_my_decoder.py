"""The map, on numbers worked out by hand."""

import torch
from onlay import PluginHost

from onlay_my_decoder import config, plugin
from onlay_my_decoder.decoder import build


def test_maps_are_added_on_the_first_ones_places() -> None:
    settings = config.MyDecoderConfig(width=1)
    decoder = build(settings, channels=[1, 1], strides=[4, 8])
    for name, parameter in decoder.project.named_parameters():
        torch.nn.init.constant_(parameter, float(name.endswith("weight")))
    decoder.norm = torch.nn.Identity()
    fine, coarse = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[10.0]]]])
    assert decoder([fine, coarse]).tolist() == [[[[11.0, 12.0]]]]


def test_it_is_registered() -> None:
    (found,) = plugin.register_decoders()
    assert PluginHost.discover().decoders[found.name] == found
