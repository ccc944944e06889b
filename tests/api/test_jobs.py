"""GET /v1/jobs, POST /v1/jobs/{job}/run, and what /readyz?verbose and /metrics say of jobs."""

import time

import pytest

JOBS = {
    "contact_trim",
    "device_purge",
    "erasure_continue",
    "friend_request_purge",
    "held_purge",
    "idempotency_purge",
    "message_expire",
    "notification_purge",
    "partition_drop",
    "partition_make",
    "profile_announce",
    "run_purge",
}


def jobs_of(api):
    reply = api.get("/v1/jobs")
    assert reply.status == 200, reply
    return {job["name"]: job for job in reply.json["items"]}


def run(api, job, **params):
    """As soon as nobody else is at it."""
    for _ in range(100):
        reply = api.post(f"/v1/jobs/{job}/run", params=params)
        if reply.status != 409:
            break
        assert reply.code == "job_running"
        time.sleep(0.1)
    return reply


def test_all_jobs_are_listed(api):
    jobs = jobs_of(api)
    assert JOBS <= set(jobs)
    assert list(jobs) == sorted(jobs)
    assert all(job["description"] and job["schedule"].endswith("* * *") for job in jobs.values())


@pytest.mark.parametrize("job", sorted(JOBS))
def test_each_job_can_be_run(api, job):
    reply = run(api, job)
    assert (reply.status, reply.json["name"], reply.json["error"]) == (200, job, None)
    last = jobs_of(api)[job]["last_run"]
    assert (last["error"], last["finished_at"] is None) == (None, False)


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_rehearsal_of_each_job_leaves_no_trace(api, db, job):
    count = "select count(*) from duet.job_run where job = %s and done_by = 'request'"
    before = db.execute(count, (job,)).fetchone()
    reply = run(api, job, validate_only="true")
    assert (reply.status, reply.json["error"]) == (200, None)
    assert db.execute(count, (job,)).fetchone() == before


def test_a_rehearsal_says_what_a_run_then_removes(api, ann, bob, db):
    db.execute("update duet.mailbox set elements = null where expires_at < now() - interval '1 minute'")
    body = {"from": ann, "to": bob, "text": "gone", "options": {"store_seconds": 1}}
    assert api.post("/v1/messages", body).status == 201
    db.execute(
        "update duet.mailbox set expires_at = now() - interval '2 minutes'"
        " where expires_at is not null and owner = (select user_no from duet.app_user where user_id = %s)",
        (bob,),
    )
    rehearsed = run(api, "message_expire", validate_only="true").json
    assert (rehearsed["rows"], rehearsed["more"]) == (1, False)
    assert rehearsed["bytes"] > 0
    assert run(api, "message_expire").json["rows"] == 1
    assert run(api, "message_expire", validate_only="true").json["rows"] == 0


def test_an_unknown_job_is_404(api):
    reply = api.post("/v1/jobs/nothing/run")
    assert (reply.status, reply.code) == (404, "job_unknown")


def test_a_job_that_somebody_else_is_at_is_409(api, db):
    with db.transaction():
        db.execute("select pg_advisory_xact_lock(1146439764, hashtext('job held_purge'))")
        reply = api.post("/v1/jobs/held_purge/run")
    assert (reply.status, reply.code) == (409, "job_running")


def test_jobs_are_for_back_ends_that_may_write_settings(api, server, ann):
    for caller, status in (
        (api.as_user(ann), 403),
        (api.with_token(server.token(scope="messages:read users:write")), 403),
        (api.with_token(server.token(scope="settings:write")), 200),
    ):
        assert caller.get("/v1/jobs").status == status
        assert run(caller, "held_purge").status == status


def test_what_is_visible_reaches_back_as_far_as_the_setting_says(api, db):
    (horizon,) = db.execute("select duet.message_horizon(now())").fetchone()
    assert api.get("/v1/jobs").json["visible_since"][:10] == f"{horizon:%Y-%m-%d}"


def test_readiness_tells_more_when_asked(api):
    brief = api.get("/readyz", token=None).json["checks"]
    assert {check["name"] for check in brief} == {"schema", "primary", "partitions"}
    for query in ("?verbose", "?verbose=true"):
        checks = {c["name"]: c for c in api.get(f"/readyz{query}", token=None).json["checks"]}
        assert {"jobs", "partition_default", "partitions_ahead"} <= set(checks)
        assert not any(checks[name]["needed"] for name in ("jobs", "partition_default"))


def test_the_metrics_tell_of_partitions(api, server):
    server.wait_until(
        lambda: "\nduet_partition_days_ahead 7\n" in api.get("/metrics", token=None).text,
        what="the metric of partitions",
    )
    assert "\nduet_partition_default_rows 0\n" in api.get("/metrics", token=None).text
