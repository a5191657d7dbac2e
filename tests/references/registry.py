"""The slow twin of every exported method, metric and attack: `file::test`, in this folder, which compares the two.

A twin computes the same numbers from the paper's formula, in float64, as slowly and as obviously as it can.
"""

from collections.abc import Mapping

ACTIVATION_MAPS = "test_activation_maps.py::test_a_map_on_its_grid_is_that_of_the_twin"

METHODS: Mapping[str, str] = {
    "ablation_cam": ACTIVATION_MAPS,
    "adaptive_noise": "test_adaptive_noise.py::test_the_published_search_is_the_algorithm",
    "competition": "test_competition.py::test_on_a_linear_network_it_is_brute_force",
    "constant_map": "test_controls_and_axioms.py::test_a_constant_map_is_one_everywhere_and_an_input_map_is_the_image",
    "deconv_net": "test_rules.py::test_guided_backprop_and_deconvnet_are_written_out",
    "deep_lift": "test_deep_lift.py::test_a_chain_is_its_twin",
    "deep_taylor": "test_controls_and_axioms.py::test_deep_taylor_is_z_plus_above_and_z_box_or_w_square_below",
    "edge_map": "test_twins.py::test_edge_map_is_the_length_of_the_sobel_gradient",
    "eigen_cam": ACTIVATION_MAPS,
    "expected_gradients": "test_twins.py::test_expected_gradients",
    "grad_cam": ACTIVATION_MAPS,
    "grad_cam_plus_plus": ACTIVATION_MAPS,
    "gradient": "test_twins.py::test_gradient",
    "guided_backprop": "test_rules.py::test_guided_backprop_and_deconvnet_are_written_out",
    "hires_cam": ACTIVATION_MAPS,
    "input_map": "test_controls_and_axioms.py::test_a_constant_map_is_one_everywhere_and_an_input_map_is_the_image",
    "input_x_gradient": "test_twins.py::test_input_x_gradient",
    "integrated_gradients": "test_twins.py::test_integrated_gradients_follow_equation_1",
    "layer_cam": ACTIVATION_MAPS,
    "lrp": "test_rules.py::test_a_rule_is_its_dense_twin",
    "pattern_attribution": "test_patterns.py::test_the_map_is_the_backward_pass_written_out",
    "pattern_net": "test_patterns.py::test_the_map_is_the_backward_pass_written_out",
    "product": "test_competition.py::test_guided_grad_cam_is_the_product",
    "random_map": "test_controls_and_axioms.py::test_a_random_map_is_drawn_from_the_seed_the_image_the_network_and_the_class",
    "score_cam": ACTIVATION_MAPS,
    "smooth_grad": "test_twins.py::test_smooth_grad",
    "smooth_taylor": "test_twins.py::test_smooth_taylor_follows_equation_6",
    "xgrad_cam": ACTIVATION_MAPS,
}

METRICS: Mapping[str, str] = {
    "completeness": "test_controls_and_axioms.py::test_completeness_is_the_share_of_the_difference_that_the_sum_misses",
    "cosine_convergence": "test_sanity.py::test_cosine_convergence",
    "data_randomisation": "test_controls_and_axioms.py::test_data_randomisation_is_the_rank_correlation_of_two_networks",
    "efficient_mprt": "test_sanity.py::test_efficient_mprt",
    "energy_in_mask": "test_twins.py::test_energy_in_mask",
    "histogram_entropy": "test_complexity.py::test_histogram_entropy_counts_values",
    "input_invariance": "test_input_invariance.py::test_the_second_network_is_the_first_one_with_another_bias",
    "parameter_randomisation": "test_sanity.py::test_parameter_randomisation",
    "performance_information_curve": "test_complexity.py::test_performance_information_curve",
    "perturbation_curve": "test_twins.py::test_perturbation_curve_follows_equations_10_and_11",
    "pixel_flipping": "test_twins.py::test_pixel_flipping_follows_its_papers",
    "pointing_game": "test_twins.py::test_pointing_game",
    "random_logit": "test_sanity.py::test_random_logit_is_of_another_class_each_as_likely",
    "repeatability": "test_controls_and_axioms.py::test_repeatability_is_the_correlation_of_the_maps_of_two_seeds",
    "sign_changes": "test_twins.py::test_sign_changes_are_counted_pair_by_pair",
    "similarity_to": "test_twins.py::test_likenesses_are_those_of_pairs_of_pixels",
    "similarity_under_change": "test_sanity.py::test_similarity_under_change",
    "sparseness": "test_complexity.py::test_sparseness_is_the_mean_difference_of_pairs",
    "total_variation_curve": "test_twins.py::test_total_variation_curve_follows_equation_12",
}

ATTACKS: Mapping[str, str] = {
    "mass_centre": "test_attacks.py::test_an_attack_is_algorithm_1",
    "random_sign": "test_attacks.py::test_random_signs_go_as_far_as_they_may",
    "targeted": "test_attacks.py::test_an_attack_is_algorithm_1",
    "top_k": "test_attacks.py::test_an_attack_is_algorithm_1",
}
