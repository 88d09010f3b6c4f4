//! What every store must do, as named cases that run on each (design.md section 4).
//!
//! A case states a promise and knows no store. Cases that end and begin a store again ask for
//! [`Restarts`], which a store in memory does not have: its type says so, and nothing is skipped.

pub mod accounts;
pub mod audit;
pub mod commits;
pub mod deliveries;
pub mod endpoints;
pub mod guards;
pub mod jobs;
pub mod keys;
pub mod lanes;
pub mod lists;
pub mod recovery;
pub mod replays;
pub mod restarts;
pub mod retention;
pub mod sequence;
pub mod sources;
pub mod upkeep;
mod world;

use crate::SharedStore;
use async_trait::async_trait;

/// Makes stores for cases.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A new, empty store.
    async fn store(&self) -> SharedStore;

    /// A new path for a copy.
    fn path(&self) -> std::path::PathBuf;
}

/// A harness of stores that outlive their process.
#[async_trait]
pub trait Restarts: Harness {
    /// Ends the store and opens it again.
    async fn restart(&self, store: SharedStore) -> SharedStore;

    /// Opens a copy that [`crate::Store::backup`] wrote.
    async fn open_copy(&self, copy: &std::path::Path) -> SharedStore;

    /// Every byte that stores have on disk.
    async fn bytes(&self) -> Vec<u8>;
}

/// One test for each case: `store_cases!(Files::default())` inside a module of the store's name.
#[macro_export]
macro_rules! store_cases {
    ($harness:expr) => {
        $crate::cases! { $harness;
            commits: keys_rise_in_commit_order_across_shards,
                a_stale_epoch_rejects_only_its_own_batch,
                a_repeated_batch_changes_nothing, an_event_reads_back_as_it_was_published,
                a_checkpoint_keeps_counters_and_never_goes_back;
            deliveries: the_happy_path_writes_no_pending_row,
                a_retry_that_succeeds_leaves_no_row_behind_and_keeps_its_attempts,
                a_suppressed_delivery_is_final_and_a_parked_one_waits,
                a_redelivery_is_the_next_generation_and_names_the_one_it_repeats,
                an_action_on_a_row_that_is_not_there_does_nothing;
            endpoints: an_endpoint_reads_back_with_its_secrets,
                a_deleted_endpoint_is_gone_for_callers_and_its_rows_are_cancelled_in_slices,
                rows_are_parked_and_unparked_in_slices;
            recovery: recovery_lists_what_has_no_row_above_the_checkpoint,
                a_refill_skips_what_memory_holds_and_tells_the_next_due_time,
                a_refill_is_bounded_by_bytes;
            lanes: what_waits_in_a_lane_is_read_by_its_lane_in_order,
                an_action_tells_where_its_row_stood_in_its_lane,
                a_lane_is_held_until_it_is_released_or_skipped_or_its_endpoint_deleted;
            guards: the_first_answer_wins_until_it_expires,
                an_answer_is_derived_from_the_event_or_delivery;
            accounts: accounts_read_back_as_they_were_made,
                an_event_type_is_made_once_and_then_replaced,
                the_last_use_of_a_key_reads_back,
                keys_are_forgotten_long_after_their_end_in_bounded_steps,
                what_is_taken_or_in_use_or_missing_is_said;
            audit: an_entry_is_there_if_and_only_if_its_change_is,
                a_list_holds_what_lies_within_bounds_and_is_asked_for;
            sources: a_source_reads_back_as_it_was_written,
                what_is_taken_missing_or_too_many_is_said_and_nothing_is_made,
                a_tenant_with_sources_is_not_deleted,
                the_answer_to_a_change_of_a_source_is_kept_and_to_a_refused_one_is_not,
                rejections_of_one_source_are_read_page_by_page_newest_first,
                of_each_source_the_newest_rejections_stay,
                rejections_go_with_their_source,
                rejections_are_forgotten_after_a_week_in_bounded_steps;
            lists: lists_equal_a_slow_model_while_the_index_grows,
                pages_stay_stable_while_events_arrive,
                a_page_reads_a_bounded_number_of_rows, events_are_filtered;
            replays: a_replay_is_listed_wherever_its_event_and_endpoint_are,
                a_replay_makes_every_delivery_or_none,
                a_replay_outside_the_numbering_leaves_no_gap_and_no_number;
            sequence: every_number_between_two_is_listed_while_the_index_grows,
                a_number_names_every_delivery_that_carries_it,
                cancelled_and_suppressed_numbers_stay_listed,
                the_numbers_of_a_deleted_endpoint_stay_listed;
            jobs: what_ended_without_success_is_recoverable_page_by_page,
                what_has_a_newer_delivery_is_not_recoverable,
                a_job_of_a_tenant_reads_back_at_the_endpoint_that_it_is_at,
                a_job_reads_back_as_it_stands_and_never_moves_once_it_has_ended,
                no_more_jobs_run_than_may_and_each_list_has_its_own;
            keys: secrets_read_the_same_whichever_key_is_rotated,
                data_keys_are_replaced_in_bounded_steps,
                the_data_keys_of_a_tenant_end_with_it;
            retention: a_payload_goes_at_its_age_and_what_is_left_cannot_be_sent,
                attempts_go_at_their_age_and_how_it_ended_stays,
                at_the_last_age_nothing_is_left, nothing_goes_that_is_alive,
                what_waits_expires_before_its_payload_goes,
                an_erased_event_keeps_its_id_type_and_time,
                an_erasure_finds_every_event_of_its_subject,
                a_deleted_tenant_is_removed_in_bounded_steps,
                the_oldest_entries_go_and_the_rest_follows_them,
                what_is_noted_of_the_clock_reads_back;
            upkeep: own_ids_are_found_in_the_tail_and_in_the_index,
                upkeep_goes_in_bounded_steps, usage_follows_what_is_stored_and_what_waits,
                the_depth_counts_what_waits;
        }
    };
}

/// As [`store_cases`], for harnesses with [`Restarts`].
#[macro_export]
macro_rules! restart_cases {
    ($harness:expr) => {
        $crate::cases! { $harness;
            restarts: what_was_committed_is_there_after_a_restart,
                numbers_read_the_same_after_a_restart,
                usage_is_the_same_after_a_restart,
                a_job_stands_where_it_stood_after_a_restart,
                sources_and_what_they_rejected_are_there_after_a_restart,
                the_chain_of_the_audit_log_goes_on_after_a_restart,
                keys_rise_after_a_restart_with_an_earlier_clock,
                waits_keep_their_length_when_the_clock_was_set_back,
                waits_keep_their_length_when_shards_are_claimed_again,
                secrets_cannot_be_read_in_the_files, a_backup_is_a_store_of_one_moment;
        }
    };
}

/// Makes the tests.
#[macro_export]
macro_rules! cases {
    ($harness:expr; $($group:ident: $($case:ident),+;)+) => {$(
        mod $group {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    $crate::conformance::$group::$case(&$harness).await;
                }
            )+
        }
    )+};
}
