"""The contract of a backbone: what every one that is registered keeps, one check for each
sentence."""

from __future__ import annotations

from onlay.testing.backbones import (
    beginning,
    building,
    declaring,
    embedding,
    encoding,
    inserting,
    layouts,
    parts,
    sites,
    streams,
)
from onlay.testing.checking import Check

BACKBONE_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file, tried="one"),
    Check(declaring.check_settings_round_trip),
    Check(declaring.check_settings_are_described, tried="one"),
    Check(declaring.check_provides_what_it_says),
    Check(building.check_facts_are_plain),
    Check(building.check_builds_the_same_weights_again),
    Check(building.check_trunk_is_part_of_the_state),
    Check(building.check_adopts_what_it_built, building.no_adopt),
    Check(sites.check_sites_are_named),
    Check(sites.check_sites_are_met_in_order),
    Check(sites.check_widths_are_those_of_the_tensors),
    Check(sites.check_block_in_and_out_are_the_blocks_own),
    Check(sites.check_passing_on_changes_nothing),
    Check(sites.check_every_site_acts_on_the_features),
    Check(sites.check_ports_leave_nothing_behind),
    Check(streams.check_branches_and_streams_are_told_apart),
    Check(streams.check_folds_where_it_says),
    Check(parts.check_parts_are_slices, parts.no_parts),
    Check(parts.check_parts_fold_alone, parts.no_parts),
    Check(parts.check_input_is_what_the_network_is_given, parts.no_input),
    Check(layouts.check_layout_is_where_tokens_lie),
    Check(layouts.check_layout_of_wide_inputs, layouts.not_wide),
    Check(layouts.check_layout_follows_the_module),
    Check(embedding.check_embedders_make_tokens, embedding.no_embedders),
    Check(embedding.check_patches_are_as_many_as_it_says, embedding.no_fixed_count),
    Check(encoding.check_example_is_of_the_networks_kind),
    Check(encoding.check_encodes_with_its_own_forward_pass),
    Check(encoding.check_features_have_their_shapes),
    Check(encoding.check_features_leave_the_last_norm),
    Check(encoding.check_levels_are_what_blocks_put_out),
    Check(encoding.check_encodes_in_bfloat16),
    Check(encoding.check_encoding_leaves_no_trace),
    Check(encoding.check_encodes_alike_with_gradients),
    Check(encoding.check_takes_inputs_that_are_not_contiguous),
    Check(encoding.check_inputs_of_a_batch_do_not_touch),
    Check(beginning.check_a_pass_can_begin_behind_a_block, beginning.no_second_block),
    Check(inserting.check_inserted_tokens_come_out_as_prompts, inserting.no_insertion),
    Check(inserting.check_later_blocks_see_inserted_tokens, inserting.no_insertion),
    Check(inserting.check_inserted_tokens_leave_again, inserting.no_insertion),
    Check(inserting.check_keys_and_values_belong_to_no_token, inserting.no_extension),
    Check(building.check_lends_itself_to_an_adapter),
    Check(building.check_recomputes_to_the_same_gradients),
)
"""From the settings to an adapter."""
