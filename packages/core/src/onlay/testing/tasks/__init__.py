"""The contract of a task: what every head with its loss and metrics keeps, one check for each
sentence."""

from __future__ import annotations

from onlay.testing.checking import Check
from onlay.testing.tasks import (
    answering,
    declaring,
    elsewhere,
    handing_on,
    heads,
    loading,
    losses,
    measuring,
    naming,
)

TASK_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file, tried="one"),
    Check(declaring.check_settings_round_trip),
    Check(declaring.check_settings_are_described, tried="one"),
    Check(declaring.check_every_setting_has_an_effect, tried="together"),
    Check(declaring.check_refuses_what_lacks_its_needs, declaring.needs_nothing, tried="one"),
    Check(heads.check_keeps_its_labels),
    Check(heads.check_parts_are_its_own),
    Check(heads.check_is_the_same_under_a_seed),
    Check(heads.check_output_and_loss_are_finite),
    Check(heads.check_every_parameter_gets_a_gradient),
    Check(heads.check_steps_lower_the_loss),
    Check(heads.check_is_finite_in_bfloat16),
    Check(elsewhere.check_stays_on_the_device_of_its_inputs),
    Check(heads.check_evaluation_draws_no_random_number),
    Check(heads.check_inputs_of_a_batch_do_not_touch),
    Check(heads.check_views_become_one_output),
    Check(heads.check_a_single_piece_is_all_of_it, heads.puts_nothing_together),
    Check(losses.check_loss_is_a_mean, losses.no_loss),
    Check(losses.check_weights_add_up, losses.no_weights),
    Check(losses.check_loss_is_the_mean_by_weights, losses.no_weights_of_a_loss),
    Check(losses.check_soft_targets_are_shares, losses.no_soft_targets),
    Check(answering.check_predicts_an_answer_for_each_input),
    Check(answering.check_answers_are_told_in_a_line),
    Check(answering.check_answers_fill_a_table),
    Check(answering.check_answers_are_json),
    Check(loading.check_state_round_trips),
    Check(naming.check_predictions_name_the_class, naming.no_classes),
    Check(answering.check_answers_are_written),
    Check(answering.check_answers_can_be_drawn),
    Check(answering.check_truths_are_answers, answering.no_truths),
    Check(naming.check_truths_name_the_class, naming.no_true_classes),
    Check(handing_on.check_answers_go_through_predict),
    Check(handing_on.check_exporters_write_it_or_say_why, handing_on.no_exporter, tried="one"),
    Check(measuring.check_metrics_hold_the_main_one, measuring.no_metrics),
    Check(measuring.check_main_metric_tells_good_from_bad, measuring.no_loss_of_outputs),
    Check(measuring.check_measures_are_of_metrics, measuring.no_metrics),
    Check(measuring.check_metrics_add_up, measuring.no_metrics),
    Check(measuring.check_constant_is_an_answer_to_every_input, measuring.no_constant),
)
"""From the settings to the metrics."""
