//! Recoveries: what their steps name is made, once, and counted.

use super::Ledger;
use angarium_core::id::{DeliveryKey, JobId};
use angarium_core::job::{Job, JobStatus, Reach};
use std::collections::BTreeSet;

/// A job that was made.
#[derive(Debug, Default)]
pub(crate) struct JobFacts {
    /// What its steps named.
    named: BTreeSet<DeliveryKey>,
    done: u64,
    has_ended: bool,
}

impl Ledger {
    /// A job is stored as it stands now.
    pub(crate) fn job_stored(&mut self, job: &Job) {
        let facts = self.jobs.entry(job.id).or_default();
        facts.named.extend(job.step.iter().map(|made| made.key));
        let (before, done) = (facts.done, job.done);
        facts.done = done;
        facts.has_ended = job.ended_at.is_some();
        if done < before {
            self.violated(format!("job {}: {done} are done after {before}", job.id));
        }
    }

    /// Judges a job at the end.
    pub(crate) fn judge_job(&mut self, id: JobId, job: Option<&Job>) {
        let Some(facts) = self.jobs.get(&id) else { return };
        let Some(job) = job else {
            // One that ended long ago goes with what it was about.
            if !facts.has_ended || self.ages.is_none() {
                self.violated(format!("job {id} is lost"));
            }
            return;
        };
        let named = facts.named.len() as u64;
        let there = facts.named.iter().filter(|key| self.deliveries.contains_key(key)).count();
        let (there, done, total) = (there as u64, job.done, job.total);
        let is_sound = match job.status {
            JobStatus::Running => false,
            // It goes past endpoints that are off, wherever it stands in them.
            JobStatus::Done if matches!(job.reach, Reach::Tenant { .. }) => {
                done <= there && there <= named && done <= total
            }
            // What comes of age while a step is taken is not made.
            JobStatus::Done if self.ages.is_some() => done == named && there <= named,
            JobStatus::Done => done == named && there == named && done <= total,
            // Its endpoint was deleted while a step was taken.
            JobStatus::Cancelled | JobStatus::Failed => done <= there && there <= named,
        };
        if !is_sound {
            let status = job.status.as_str();
            self.violated(format!(
                "job {id} is {status}: {done} of {total} are done, {named} were named, {there} \
                 are there"
            ));
        }
    }
}
