"""The tests that show, by an amount computed by hand, what each accepted option changes.

Where an option moves no amount, a comment says what it promises instead, which its test proves.

Kind, then a test (its file below `tests/` and its name), then the options that it is for: keys, or
a key with one of its named choices. `test_options` sees that no option of these kinds is missing
and that every test is there.
"""

OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "datasets": {
        "engine/query/test_source::test_a_glob_reads_all_of_its_files_with_one_schema": ("tables",),
        "engine/query/test_joins::test_the_primary_table_is_the_one_whose_rows_stay": (
            "primary",
            "joins.how = left",
            "joins.how = inner",
            "joins.how = right",
        ),
        "engine/query/test_joins::test_each_kind_of_join_keeps_its_rows_with_ids": (
            "joins.table",
            "columns",
        ),
        "engine/query/test_joins::test_a_join_goes_on_from_a_joined_table_and_on_several_columns": (
            "joins.on",
        ),
        "engine/query/test_histories::"
        "test_a_history_lists_earlier_values_oldest_first_without_those_of_the_same_time": (
            "histories.column",
            "histories.last",
        ),
        "engine/query/test_examples::test_the_sample_is_the_hash_of_the_buyer_or_the_row": (
            "roles.buyer",
        ),
        "engine/query/test_examples::test_random_split_is_the_hash_of_the_row_key_80_15_5": (
            "roles.product",
        ),
        "engine/query/test_examples::test_time_holdout_tests_on_the_last_days": (
            "roles.timestamp",
        ),
        "engine/query/test_aggregates::test_revenue_may_stand_in_a_joined_table": (
            "roles.revenue",
        ),
        "engine/query/test_examples::test_rows_are_split_by_the_columns_of_the_row_key": (
            "roles.row_key",
        ),
        "engine/query/test_filters::test_a_filter_keeps_the_rows_that_it_names": (
            "filters.column",
            "filters.equals",
            "filters.in",
            "filters.min",
            "filters.max",
            "filters.last_days",
            "filters.start",
            "filters.end",
        ),
        "engine/query/test_aggregates::"
        "test_a_filter_keeps_the_products_or_customers_that_it_names": (
            "filters.of = products",
            "filters.of = customers",
            "filters.top_percent",
            "filters.min_count",
            "filters.min_spend",
        ),
        # Names, not amounts: the SQL reads the tables that they say.
        "engine/query/test_bigquery::test_tables_have_the_names_that_the_dataset_gives_them": (
            "bigquery.project",
            "bigquery.dataset",
            "bigquery.tables",
        ),
    },
    "features": {
        "engine/test_option_effects::test_the_feature_config_decides_on_rows_and_labels": (
            "dataset",
            "target.column",
        ),
        "pipelines/test_target::test_labels_are_clipped_at_percentiles_of_train": ("target.clip",),
        "pipelines/test_target::test_the_logarithm_is_of_one_more": ("target.log1p",),
        "pipelines/test_target::test_scores_have_the_mean_and_deviation_of_train": (
            "target.normalize",
        ),
        "pipelines/test_preprocessing::test_tokens_are_numbered_by_frequency_after_missing": (
            "feature.column",
            "feature.data_type = text",
            "feature.transforms = embed",
        ),
        # There is one right value in each tower, the role's column; all others are refused.
        "engine/test_planning::test_a_definition_that_does_not_fit_the_data_is_told": (
            "feature.primary",
        ),
        "pipelines/test_preprocessing::test_numbers_become_z_scores_of_the_finite_values": (
            "feature.data_type = numeric",
            "feature.transforms = normalize",
        ),
        "pipelines/test_preprocessing::test_numbers_fall_into_quantile_buckets_from_one": (
            "feature.transforms = bucketize",
            "feature.buckets",
        ),
        "pipelines/test_preprocessing::test_cycles_are_sin_and_cos_of_the_position_in_utc": (
            "feature.data_type = temporal",
            "feature.transforms = cyclical_yearly",
            "feature.transforms = cyclical_quarterly",
            "feature.transforms = cyclical_monthly",
            "feature.transforms = cyclical_weekly",
            "feature.transforms = cyclical_daily",
        ),
        "pipelines/test_fields::test_a_history_is_the_mean_of_the_candidate_towers_embeddings": (
            "feature.data_type = history",
            "feature.transforms = average",
        ),
        "pipelines/test_preprocessing::"
        "test_a_history_is_its_last_products_by_the_product_ids_vocabulary": (
            "feature.max_length",
        ),
        "engine/test_planning::test_embedding_dims_follow_the_distinct_values": ("feature.dim",),
        "pipelines/test_preprocessing::test_crosses_are_hashes_of_tokens_and_buckets": (
            "cross.columns",
            "cross.buckets",
            "cross.crossing_buckets",
        ),
        "engine/test_previews::test_crosses_have_a_table_of_their_hashes": ("cross.dim",),
    },
    "models": {
        "pipelines/test_retrieval_model::test_the_loss_is_the_mean_in_batch_cross_entropy": (
            "type = retrieval",
            "retrieval.temperature",
        ),
        "pipelines/test_rating_model::"
        "test_the_output_starts_at_the_mean_and_rows_without_label_do_not_count": (
            "type = ranking",
            "rating.loss = mse",
        ),
        "pipelines/test_rating_model::test_losses_of_a_multitask_model_are_weighted": (
            "type = multitask",
            "retrieval_weight",
            "ranking_weight",
        ),
        "pipelines/test_retrieval_model::"
        "test_a_tower_concatenates_its_tensors_in_the_order_of_the_features": ("combine = mlp",),
        "pipelines/test_retrieval_model::test_a_sum_adds_embeddings_and_projects_the_rest": (
            "combine = sum",
            "output_dim",
        ),
        "engine/definitions/test_models::test_a_preset_resolves_to_the_documented_towers": (
            "preset = minimal",
            "preset = standard",
            "preset = deep",
            "preset = asymmetric",
            "preset = regularized",
        ),
        "pipelines/test_layers::test_a_dense_layer_is_the_activation_of_weights_and_bias": (
            "layer = dense",
            "layer.units",
            "layer.activation = relu",
            "layer.activation = gelu",
            "layer.activation = tanh",
            "layer.activation = sigmoid",
            "layer.activation = selu",
            "layer.activation = linear",
        ),
        "pipelines/test_retrieval_model::test_penalties_count_in_the_total_loss_only": (
            "layer.l1",
            "layer.l2",
        ),
        "pipelines/test_layers::test_dropout_drops_its_share_and_scales_what_is_left": (
            "layer = dropout",
            "layer.rate",
        ),
        "pipelines/test_layers::test_batch_norm_is_by_column_and_layer_norm_by_row": (
            "layer = batch_norm",
            "layer = layer_norm",
        ),
        "pipelines/test_layers::test_two_steps_move_a_weight_as_the_optimizer_says": (
            "optimizer = adagrad",
            "optimizer = adam",
            "optimizer = adamw",
            "optimizer = sgd",
            "optimizer = rmsprop",
            "optimizer = ftrl",
            "learning_rate",
        ),
        "pipelines/test_rating_model::test_row_wise_adam_moves_only_the_rows_of_the_batch": (
            "row_wise",
        ),
        "pipelines/test_trainer::test_the_last_partial_batch_is_trained_on_too": ("batch_size",),
        "pipelines/test_retrieval_model::test_outputs_have_length_one_when_normalized": (
            "retrieval.normalize",
        ),
        "pipelines/test_softmax_options::"
        "test_groups_have_a_softmax_each_and_the_rest_meets_the_last_of_the_batch": (
            "retrieval.softmax_group",
        ),
        "pipelines/test_retrieval_model::test_logq_correction_subtracts_log_q_from_the_logits": (
            "retrieval.logq_correction",
        ),
        "pipelines/test_softmax_options::"
        "test_a_row_is_not_its_own_negative_when_accidental_hits_are_removed": (
            "retrieval.remove_accidental_hits",
        ),
        "pipelines/test_softmax_options::test_hard_negatives_are_the_highest_scores": (
            "retrieval.hard_negatives",
        ),
        "pipelines/test_softmax_options::test_label_smoothing_spreads_a_share_of_the_target": (
            "retrieval.label_smoothing",
        ),
        "pipelines/test_rating_model::test_a_score_is_the_product_and_the_weighted_prior": (
            "retrieval.popularity_prior",
            "retrieval.popularity_weight",
            "retrieval.own_history",
        ),
        "pipelines/test_rating_model::test_own_history_adds_the_log_of_the_counts": (
            "retrieval.own_history_weight",
        ),
        "pipelines/test_index::test_scann_gives_exact_scores_of_different_products_best_first": (
            "retrieval.index = scann",
            "retrieval.top_k",
        ),
        "pipelines/test_index::"
        "test_brute_force_answers_small_catalogues_and_where_it_is_asked_for": (
            "retrieval.index = brute_force",
        ),
        "pipelines/test_index::test_brute_force_answers_where_products_are_fewer_than_leaves": (
            "retrieval.num_leaves",
        ),
        "pipelines/test_index::test_given_leaves_are_searched": ("retrieval.leaves_to_search",),
        "engine/definitions/test_models::test_a_rating_head_resolves_from_its_preset": (
            "rating.preset = minimal",
            "rating.preset = standard",
            "rating.preset = deep",
            "rating.preset = none",
        ),
        "pipelines/test_rating_model::test_terms_of_a_rating_add_up": (
            "rating.dot_product",
            "rating.biases",
        ),
        "pipelines/test_rating_model::test_penalties_count_in_the_total_loss_only": (
            "rating.embedding_l2",
            "rating.bias_l2",
        ),
        "pipelines/test_rating_model::test_huber_is_quadratic_below_its_delta": (
            "rating.loss = huber",
            "rating.huber_delta",
        ),
        "pipelines/test_rating_model::test_cross_entropy_is_from_logits_and_starts_at_the_share": (
            "rating.loss = binary_crossentropy",
        ),
    },
    "runs": {
        "engine/test_option_effects::test_the_feature_config_decides_on_rows_and_labels": (
            "feature_config",
        ),
        "engine/test_planning::"
        "test_a_model_configs_batch_that_is_too_large_falls_back_with_a_warning": (
            "model_config_name",
        ),
        # It chooses nothing: it promises that the feature config's dataset is meant, or refuses.
        "engine/test_option_effects::test_naming_the_dataset_only_checks_the_feature_configs": (
            "dataset",
        ),
        "engine/test_planning::test_a_run_reads_the_rows_that_the_hash_chooses": (
            "sample_percent",
            "sample_by = buyer",
            "sample_by = row",
            "seed",
            "split = random",
        ),
        "engine/query/test_examples::test_time_holdout_tests_on_the_last_days": (
            "split = time-holdout",
            "holdout_days",
        ),
        "engine/query/test_examples::"
        "test_strict_time_takes_consecutive_windows_and_leaves_older_rows_out": (
            "split = strict-time",
            "train_days",
            "val_days",
            "test_days",
        ),
        "pipelines/test_trainer::test_a_line_is_written_for_every_epoch": ("epochs",),
        "pipelines/test_trainer::test_the_last_partial_batch_is_trained_on_too": ("batch_size",),
        "pipelines/test_retrieval_model::"
        "test_a_first_step_of_sgd_moves_weights_by_the_learning_rate": ("learning_rate",),
        "pipelines/test_rating_model::test_early_stopping_ends_and_keeps_the_best": (
            "early_stopping",
            "early_stopping_on = val_loss",
        ),
        "pipelines/test_rating_model::test_early_stopping_watches_the_primary_metric": (
            "early_stopping_on = primary",
        ),
        # It moves no figure: it promises that two runs are equal bit by bit.
        "pipelines/test_trainer::test_deterministic_runs_are_equal_bit_by_bit": ("deterministic",),
        "engine/test_planning_cloud::test_the_hardware_reaches_the_build_s_arguments": (
            "hardware = small",
            "hardware = medium",
            "hardware = large",
        ),
        # It promises the same rows from another engine, so the figure is the same 120 rows.
        "engine/test_option_effects::test_the_backend_decides_where_the_same_rows_are_read": (
            "backend = local",
            "backend = vertex",
        ),
        # It promises the rows of a local run, one by one.
        "engine/query/test_uploads::test_each_split_has_a_file_with_its_rows": ("upload_rows",),
    },
    "metrics": {
        "pipelines/test_metrics_ranks::test_recall_is_the_share_of_rows_within_the_first_k": (
            "recall_at_5",
            "recall_at_10",
            "recall_at_50",
            "recall_at_100",
        ),
        "pipelines/test_evaluation_retrieval::"
        "test_new_products_are_those_whose_pair_train_does_not_have": ("new_recall_at_100",),
        "pipelines/test_metrics_ranks::test_ndcg_discounts_by_the_logarithm_of_the_place": (
            "ndcg_at_10",
        ),
        "pipelines/test_metrics_ranks::test_coverage_is_the_share_of_candidates_on_any_list": (
            "catalogue_coverage",
        ),
        "pipelines/test_evaluation_ratings::test_errors_are_of_the_rows_with_a_target": (
            "rmse",
            "mae",
        ),
        "pipelines/test_metrics_ratings::test_errors_are_in_the_labels_unit": (
            "test_rmse",
            "test_mae",
        ),
        "pipelines/test_metrics_ratings::"
        "test_auc_is_the_share_of_pairs_in_order_and_ties_are_half": ("auc_roc",),
    },
    "comparisons": {
        "engine/analysis/test_pairing::test_several_comparisons_widen_the_interval": ("numbers",),
        "engine/analysis/test_comparison::"
        "test_every_pair_is_compared_those_with_the_baseline_first": ("baseline",),
        "engine/analysis/test_comparison::test_differences_alone_leave_out_what_is_the_same": (
            "differences",
        ),
    },
}
