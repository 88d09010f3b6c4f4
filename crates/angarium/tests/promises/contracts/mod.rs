//! Five published pages, and a sixth that is invented, promise by promise: the cases are data in
//! `tests/contracts/`, one folder a contract, and each row of the list of promises
//! (`tests/contracts/promises.toml`) has a test that runs every case of the folder that shows it.
//!
//! Names begin with the row in lower case, so that `cargo xtask assurance` can say which promise
//! a test shows. `CASE=name` runs only the cases whose path has this in it.

mod case;
mod pattern;
mod run;
mod samples;
mod stage;

use case::Case;

/// A module of tests for a folder of cases, a test for each row.
macro_rules! rows {
    ($folder:ident: $($test:ident $row:literal,)+) => {
        mod $folder {
            $(#[test]
            fn $test() {
                super::show($row, super::case::of_folder(stringify!($folder)));
            })+
        }
    };
}

rows! { aioka:
    k1_registering_answers_the_printed_members_and_the_secret_once "K1",
    k2_the_signature_is_the_hex_hmac_of_the_body_keyed_with_the_whole_secret "K2",
    k3_the_envelope_is_the_printed_one_and_the_same_on_every_retry "K3",
    k4_the_catalog_has_five_types_and_an_unknown_one_is_named "K4",
    k5_at_most_three_retries_after_5_25_and_125_seconds "K5",
    k6_ten_failed_deliveries_in_a_row_switch_a_webhook_off "K6",
    k7_five_webhooks_a_key_https_only_basic_and_above "K7",
    k8_a_test_event_is_signed_and_delivered_as_a_real_one "K8",
    k9_a_key_sees_its_own_webhooks_and_errors_have_their_shape "K9",
}

rows! { aleta:
    a1_the_catalog_has_five_types_and_their_payloads "A1",
    a2_the_signature_has_a_timestamp_and_two_macs "A2",
    a3_every_retry_is_signed_anew_with_the_key_and_time_of_then "A3",
    a4_the_active_and_the_one_prior_key_are_served_with_an_etag "A4",
    a5_the_event_id_is_the_same_on_every_retry "A5",
    a6_one_entitys_events_arrive_in_order_and_no_other_waits "A6",
    a7_a_day_of_growing_waits_for_all_but_a_2xx_in_time_then_a_dead_letter "A7",
    a8_dead_letters_and_failing_endpoints_stand_in_the_diagnostics "A8",
    a9_mutating_calls_are_idempotent_and_a_workspace_manages_its_endpoints "A9",
    a10_the_body_has_its_members_in_order_and_no_entity_where_there_is_none "A10",
}

rows! { alumia:
    l1_the_thirteen_routes_answer_with_the_printed_records "L1",
    l2_a_webhook_is_created_within_the_printed_limits_and_its_secret_told_once "L2",
    l3_the_receive_url_is_of_the_requests_origin_and_stands_for_no_forwarding "L3",
    l4_any_subset_is_patched_and_status_and_enabled_are_in_step "L4",
    l5_old_signatures_stop_verifying_at_once "L5",
    l6_what_is_genuine_is_recorded_routed_and_forwarded_without_a_key "L6",
    l7_the_source_says_how_is_signed_and_forwards_are_as_received "L7",
    l8_events_and_deliveries_are_listed_tests_made_and_requests_verified "L8",
    l9_linear_is_received_by_the_secret_that_signed "L9",
    l10_errors_have_the_pages_codes_and_another_orgs_webhook_is_not_there "L10",
    l11_nothing_of_a_deleted_webhook_can_be_read_again "L11",
}

rows! { anduin:
    n1_webhooks_are_registered_updated_and_deleted_by_rest "N1",
    n2_a_url_is_accepted_after_it_echoed_a_random_key "N2",
    n3_four_immediate_attempts_then_the_next_one_payload_at_a_time "N3",
    n4_three_skipped_payloads_in_a_row_make_it_inactive "N4",
    n5_old_and_new_run_side_by_side_on_the_same_events "N5",
}

rows! { quantfolio:
    q1_subscriptions_are_hierarchical "Q1",
    q2_seven_properties_and_the_same_id_across_webhooks "Q2",
    q3_post_with_a_body_or_get_with_a_query "Q3",
    q4_authentication_and_headers_are_sent_and_never_shown "Q4",
    q5_a_signing_key_is_optional_and_signs_body_or_query "Q5",
}

rows! { standard:
    standard_webhooks_headers_body_signatures_and_schedule "standard",
}

rows! { invented:
    invented_a_platform_that_no_code_knows_works_from_its_file "invented",
}

/// Promises of all contracts; their cases stand in any folder.
mod every {
    use super::{case, show, stage};

    macro_rules! rows_of_all {
        ($($test:ident $row:literal,)+) => {
            $(#[test]
            fn $test() {
                show($row, stage::folders().iter().flat_map(|f| case::of_folder(f)).collect());
            })+
        };
    }

    rows_of_all! {
        g1_the_contracts_schedule_is_kept_to_the_letter "G1",
        g2_a_publishers_own_event_id_is_the_id_everywhere "G2",
        g3_both_forms_of_an_id_find_the_object "G3",
        g4_a_star_matches_every_type_and_what_is_below_at_any_depth "G4",
        g5_an_endpoint_is_made_without_dns "G5",
        g6_plans_are_ordered_and_an_unknown_one_is_refused "G6",
        g7_an_idempotency_key_repeats_the_first_answer "G7",
        g8_an_endpoint_may_have_a_schedule_of_its_own "G8",
        g9_a_contract_says_how_refused_receives_are_answered "G9",
    }

    #[test]
    fn every_case_shows_a_promise_of_the_list() {
        let path = case::root().join("promises.toml");
        let list = std::fs::read_to_string(path).expect("the list of promises");
        let list: toml::Table = list.parse().expect("TOML");
        let rows = list["row"].as_array().expect("rows");
        let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
        for folder in stage::folders() {
            for case in case::of_folder(&folder) {
                for row in &case.shows {
                    assert!(ids.contains(&row.as_str()), "{}: {row}", case.path.display());
                }
            }
        }
    }
}

/// Runs the cases that show a row; all of them, so that one failure does not hide another.
#[track_caller]
fn show(row: &str, cases: Vec<Case>) {
    let chosen = std::env::var("CASE").unwrap_or_default();
    let shows = |case: &Case| case.shows.iter().any(|shown| shown == row);
    let cases: Vec<Case> = cases.into_iter().filter(shows).collect();
    assert!(!cases.is_empty(), "no case shows {row}");
    let chosen = |case: &&Case| case.path.to_string_lossy().contains(&chosen);
    let mut failures = Vec::new();
    for case in cases.iter().filter(chosen) {
        let started = std::time::Instant::now();
        let outcome = run::run(case);
        println!("{row} {}: {:?}", case.path.display(), started.elapsed());
        if let Err(why) = outcome {
            failures.push(format!("{}: {why}", case.path.display()));
        }
    }
    assert!(failures.is_empty(), "{row} does not hold:\n{}", failures.join("\n\n"));
}
