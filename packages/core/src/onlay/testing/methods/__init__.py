"""The contract of a method: what every adapter of this kind keeps, one check for each sentence."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing.case import MethodCase
from onlay.testing.checking import Check
from onlay.testing.methods import (
    declaring,
    elsewhere,
    folding,
    keeping,
    modules,
    precision,
    preparing,
    recipes,
    running,
    saving,
    sharing,
    starting,
    telling,
    training,
)


def _without(trait: str, what: str) -> Callable[[MethodCase], str]:
    def not_for(case: MethodCase) -> str:
        return "" if trait in case.traits else f"the method does not promise that it {what}"

    return not_for


def _promised(case: MethodCase) -> str:
    return "the method promises to fold" if "foldable" in case.traits else ""


def _without_formula(case: MethodCase) -> str:
    return "" if case.method.count else "the method declares no formula for its parameters"


def _without_grid(case: MethodCase) -> str:
    return "" if "grid" in case.bare().anatomy.provides else "there is no map"


METHOD_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file, tried="one"),
    Check(declaring.check_settings_round_trip),
    Check(declaring.check_settings_are_described),
    Check(declaring.check_what_folds_is_static),
    Check(declaring.check_refuses_in_words),
    Check(recipes.check_presets_fit_into_a_run, recipes.has_none, tried="one"),
    Check(declaring.check_every_setting_has_an_effect, tried="together"),
    Check(starting.check_fits_where_its_needs_are_met),
    Check(starting.check_every_site_is_met_and_every_parameter_connected),
    Check(starting.check_starts_as_identity, _without("identity", "starts as the bare backbone")),
    Check(starting.check_counts_its_parameters, _without_formula),
    Check(starting.check_is_held_to_the_last_blocks, tried="usual"),
    Check(starting.check_is_the_same_under_a_seed),
    Check(training.check_backbone_is_untouched_by_a_step),
    Check(training.check_trains_exactly_what_it_declares),
    Check(training.check_every_parameter_gets_a_gradient),
    Check(training.check_auxiliary_loss_is_a_finite_scalar),
    Check(training.check_evaluation_leaves_no_auxiliary_loss, training.adds_no_loss),
    Check(training.check_trains_alike_under_a_seed),
    Check(training.check_views_and_loss_leave_the_batch, training.of_one_view),
    Check(training.check_goes_on_from_its_tensors, tried="usual"),
    Check(telling.check_what_is_spared_is_there, telling.spares_nothing, tried="together"),
    Check(telling.check_figures_change_nothing, telling.tells_no_figures),
    Check(running.check_evaluation_draws_no_random_number),
    Check(running.check_evaluation_is_the_same_with_gradients),
    Check(running.check_inputs_of_a_batch_do_not_touch),
    Check(running.check_takes_inputs_that_are_not_square, _without_grid),
    Check(running.check_compiles, tried="one"),
    Check(running.check_recomputes_to_the_same_gradients),
    Check(telling.check_what_is_shown_fits_the_input, telling.shows_nothing),
    Check(running.check_two_processes_agree, running.no_fork, tried="together"),
    Check(precision.check_is_finite_in_bfloat16),
    Check(precision.check_runs_beside_a_backbone_in_half_precision),
    Check(precision.check_runs_in_bfloat16),
    Check(precision.check_steps_without_float64),
    Check(modules.check_sources_stay_as_they_are),
    Check(modules.check_takes_tensors_that_are_not_contiguous),
    Check(modules.check_is_finite_on_large_values),
    Check(modules.check_gates_at_partial_activity),
    Check(keeping.check_nothing_is_kept_after_a_pass, tried="usual"),
    Check(elsewhere.check_another_process_gives_the_same, elsewhere.not_found_there, tried="usual"),
    Check(elsewhere.check_stays_on_the_device_of_its_inputs, tried="usual"),
    Check(elsewhere.check_exports_for_any_batch, tried="one"),
    Check(sharing.check_copies_are_independent),
    Check(sharing.check_attaching_twice_is_refused),
    Check(sharing.check_two_adapters_do_not_touch),
    Check(sharing.check_detach_restores_the_backbone),
    Check(saving.check_bundle_holds_the_adapter_alone),
    Check(saving.check_bundle_reloads_to_the_same_outputs),
    Check(preparing.check_what_is_prepared_is_in_the_bundle, preparing.nothing_taken),
    Check(saving.check_conversion_keeps_state_and_network_one),
    Check(saving.check_bundle_of_an_accelerator_loads_on_the_cpu, saving.no_accelerator),
    Check(folding.check_folds_exactly, _without("foldable", "folds")),
    Check(folding.check_folding_twice_changes_nothing, _without("foldable", "folds")),
    Check(folding.check_folding_is_refused_with_a_reason, _promised),
)
"""In the order of an adapter's life."""
