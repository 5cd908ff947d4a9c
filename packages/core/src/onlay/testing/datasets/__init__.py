"""The contract of a data set: what every layout that is registered keeps, one check for each
sentence."""

from __future__ import annotations

from onlay.testing.checking import Check
from onlay.testing.datasets import declaring, items, judging, learning, reading, streaming

DATASET_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file),
    Check(declaring.check_settings_round_trip),
    Check(declaring.check_settings_are_described),
    Check(items.check_there_is_something_to_train_on),
    Check(items.check_items_fit_the_backbones),
    Check(items.check_targets_are_labels),
    Check(learning.check_tasks_learn_from_its_targets, learning.no_task),
    Check(items.check_blocks_hold_every_item),
    Check(items.check_counts_are_those_of_the_items),
    Check(items.check_evaluation_is_the_same_every_time),
    Check(items.check_training_repeats_under_a_seed),
    Check(streaming.check_streams_go_on_from_any_place, streaming.no_stream),
    Check(items.check_parts_do_not_overlap),
    Check(items.check_parts_can_be_sent_to_workers),
    Check(reading.check_one_seed_gives_one_split),
    Check(reading.check_training_seed_changes_no_split),
    Check(reading.check_split_seed_changes_the_split, reading.no_seed),
    Check(reading.check_preprocessing_is_plain),
    Check(reading.check_reader_prepares_files_alike, reading.no_reader),
    Check(reading.check_absent_files_are_one_sentence, reading.no_files),
    Check(reading.check_truncated_files_are_named, reading.no_files),
    Check(judging.check_whole_has_every_item_once, judging.no_whole),
    Check(judging.check_layout_lists_every_item, judging.no_layout),
)
"""From the settings to the files."""
