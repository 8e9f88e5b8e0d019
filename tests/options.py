"""The tests that show, by an amount computed by hand, what each accepted option changes.

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
        "engine/query/test_bigquery::test_tables_have_the_names_that_the_dataset_gives_them": (
            "bigquery.project",
            "bigquery.dataset",
            "bigquery.tables",
        ),
    },
    "runs": {
        "engine/test_planning::test_features_are_resolved_by_type_and_cardinality": (
            "feature_config",
        ),
        "engine/test_planning::"
        "test_a_model_configs_batch_that_is_too_large_falls_back_with_a_warning": (
            "model_config_name",
        ),
        "engine/test_planning::test_a_feature_config_of_another_dataset_is_told": ("dataset",),
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
        "pipelines/test_trainer::test_determinism_is_asked_of_tensorflow": ("deterministic",),
        "engine/test_planning_cloud::test_the_hardware_reaches_the_build_s_arguments": (
            "hardware = small",
            "hardware = medium",
            "hardware = large",
        ),
        "engine/test_planning_cloud::test_the_same_rows_are_asked_of_bigquery": (
            "backend = local",
            "backend = vertex",
        ),
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
