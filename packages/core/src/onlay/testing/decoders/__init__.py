"""The contract of a decoder: what every one that is registered keeps, one check for each
sentence."""

from __future__ import annotations

from onlay.testing.checking import Check
from onlay.testing.decoders import declaring, decoding, keeping, training

DECODER_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file, tried="one"),
    Check(declaring.check_settings_round_trip, tried="one"),
    Check(declaring.check_settings_are_described, tried="one"),
    Check(declaring.check_says_which_maps_it_reads, tried="one"),
    Check(declaring.check_every_setting_has_an_effect, tried="together"),
    Check(decoding.check_makes_one_map_on_any_grid),
    Check(decoding.check_answers_each_image_alone, tried="usual"),
    Check(decoding.check_leaves_its_maps_as_they_are, tried="usual"),
    Check(decoding.check_computes_in_bfloat16, tried="usual"),
    Check(decoding.check_stays_on_the_device_of_its_maps, tried="usual"),
    Check(training.check_trains_on_a_single_image),
    Check(training.check_every_parameter_gets_a_gradient),
    Check(keeping.check_starts_alike_under_a_seed),
    Check(keeping.check_has_as_many_parameters_under_any_seed, tried="usual"),
    Check(keeping.check_state_makes_the_same_map, tried="usual"),
    Check(keeping.check_exports_with_any_batch, tried="usual"),
)
"""From the settings to an exported program."""
