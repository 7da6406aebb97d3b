// Every call that the console makes, with the RPC and the command of heraldctl that do the same.
import { send } from "./api.js";
import { session } from "./session.js";

const at = (id) => encodeURIComponent(id);

function owner() {
    const known = session.get();
    return known && !known.fixedUser && known.user ? { userId: known.user } : {};
}

// once: repeats under one Idempotency-Key take effect once.
function onEvent(rpc, method, part, once = false) {
    return (id, body = {}) => ({
        rpc: `EventService/${rpc}`,
        method,
        once,
        path: `/api/events/${at(id)}${part}`,
        ids: { eventDraftId: id },
        body: { ...owner(), ...body },
    });
}

function onDistribution(rpc, part, command) {
    return (id, body = {}) => ({
        rpc: `DistributionService/${rpc}`,
        method: "POST",
        path: `/api/distributions/${at(id)}/${part}`,
        ids: { eventId: id },
        body: { ...owner(), ...body },
        command: command && [...command(id, body), ...userOption()],
    });
}

function userOption() {
    const user = owner().userId;
    return user ? ["--user", user] : [];
}

export const reads = {
    session: () => ({ method: "GET", path: "/api/session" }),
    events: (query) => ({ method: "GET", path: "/api/events", query: { ...owner(), ...query } }),
    event: (id) => ({ method: "GET", path: `/api/events/${at(id)}`, query: owner() }),
    timeline: (id, after) => ({
        method: "GET",
        path: `/api/events/${at(id)}/timeline`,
        query: { ...owner(), afterPosition: after === "0" ? undefined : after },
    }),
    waitEvent: (id) => ({ method: "GET", path: `/api/events/${at(id)}/wait`, query: owner() }),
    distribution: (id, withAttempts) => ({
        method: "GET",
        path: `/api/distributions/${at(id)}`,
        query: { ...owner(), withAttempts: withAttempts || undefined },
    }),
    /** Of all users for operators, else of the one who looks. */
    jobs: (query) => ({ method: "GET", path: "/api/jobs", query: { ...(session.get()?.operator ? {} : owner()), ...query } }),
    job: (id) => ({ method: "GET", path: `/api/jobs/${at(id)}` }),
    waitJob: (id) => ({ method: "GET", path: `/api/jobs/${at(id)}/wait` }),
    channels: () => ({ method: "GET", path: "/api/channels" }),
    unknown: (query) => ({ method: "GET", path: "/api/deliveries/unknown", query }),
    servers: () => ({ method: "GET", path: "/api/servers" }),
};

/** Asks who this is, and whether it may do what operators do: servers that know no callers let everybody. */
export async function askSession() {
    const answer = await send(reads.session());
    let operates = answer.class === "operator" || answer.class === "server";
    if (!operates && !answer.authenticated && !answer.signInRequired) {
        operates = await send(reads.unknown({ pageSize: 1 })).then(
            () => true,
            () => false,
        );
    }
    return [answer, operates];
}

export const calls = {
    createEvent: (body) => ({
        rpc: "EventService/CreateEvent",
        method: "POST",
        once: true,
        path: "/api/events",
        body: { ...owner(), ...body },
    }),
    selectObjective: onEvent("SelectObjective", "PUT", "/objective"),
    selectRecommendation: onEvent("SelectRecommendation", "PUT", "/recommendation"),
    selectPeriod: onEvent("SelectPeriod", "PUT", "/period"),
    selectContent: onEvent("SelectContent", "PUT", "/content"),
    requestImages: onEvent("RequestImageGeneration", "POST", "/content-generation", true),
    publish: onEvent("PublishEvent", "POST", "/publish", true),
    retry: (id, body = {}) => ({
        ...onEvent("RetryDelivery", "POST", "/retry")(id, body),
        command: ["deliveries", id, "retry", ...(body.channel ? [body.channel] : []), ...userOption()],
    }),
    end: onEvent("EndEvent", "POST", "/end"),
    remove: (id) => ({
        rpc: "EventService/DeleteEvent",
        method: "DELETE",
        path: `/api/events/${at(id)}`,
        ids: { eventDraftId: id },
        query: owner(),
    }),
    schedule: onDistribution("ScheduleDistribution", "schedule"),
    cancel: onDistribution("CancelDistribution", "cancel", (id, body) => [
        "deliveries",
        id,
        "cancel",
        ...(body.channel ? [body.channel] : []),
    ]),
    confirm: onDistribution("ConfirmAssistedPublish", "confirm", (id, body) => [
        "deliveries",
        id,
        "confirm",
        body.channel,
        body.url || "URL",
    ]),
    preview: onDistribution("GetDeliveryPreview", "preview"),
    resolve: (id, body) => ({
        rpc: "DistributionService/ResolveDelivery",
        method: "POST",
        path: `/api/distributions/${at(id)}/resolve`,
        ids: { eventId: id },
        body,
        command: [
            "deliveries",
            id,
            "resolve",
            body.channel,
            { WAS_PUBLISHED: "published", SEND_AGAIN: "again", GIVE_UP: "give-up" }[body.resolution],
            ...(body.remoteId ? ["--id", body.remoteId] : []),
            ...(body.url ? ["--post-url", body.url] : []),
        ],
    }),
    control: (channel, action, note) => ({
        rpc: "DistributionService/ControlChannel",
        method: "POST",
        path: `/api/channels/${at(channel)}/control`,
        ids: { channel },
        body: { action, ...(note ? { note } : {}) },
        command: [
            "channel",
            { PAUSE: "pause", RESUME: "resume", BREAKER_FORCE_OPEN: "open", BREAKER_AUTOMATIC: "auto" }[action],
            channel,
            ...(note ? ["--note", note] : []),
        ],
    }),
    requeue: (id) => ({
        rpc: "JobService/RequeueJob",
        once: true,
        method: "POST",
        path: `/api/jobs/${at(id)}/requeue`,
        ids: { jobId: id },
        body: {},
        command: ["requeue", id],
    }),
};
