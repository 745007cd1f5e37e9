/**
 * Every bound of Waybill, with its reason (invariant I5: nothing is unlimited).
 *
 * Rooms are handed the numbers that they need; tests shrink them so that edges come early.
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Plain bytes of a block that is stored as its sender deflated it: senders gather a MiB, and end with the line that fills it. */
const DEFLATED_BLOCK_BYTES = MIB + 256 * KIB;

export const limits = {
  ingest: {
    /** A request's body as sent. One body fits the account's budget. */
    bodyBytes: 16 * MIB,
    /** A request's body after decompression: what a decompression bomb runs into. */
    plainBytes: 64 * MIB,
    /** One line, newline apart. Receivers' own caps lie between 256 KiB and 1 MiB. */
    lineBytes: 256 * KIB,
    /** The most that an operator may raise `lineBytes` to: one line fits one record. */
    lineBytesMax: MIB - 64 * KIB,
    /** Streams in one `?by=` body: bounds the answer and the work of one request. */
    streamsPerRequest: 10_000,
    /** Bodies held in memory, over all accounts. */
    heldBytes: 96 * MIB,
    /** Bodies held in memory for one account: the largest plain body and a little. */
    heldBytesPerAccount: 72 * MIB,
    /** Memory of bodies that is kept for the next ones: as many as are usually under way at once. */
    idleBodyBytes: 8 * MIB,
    /** Open connections to an ingest listener: each costs some 20 KiB. */
    connections: 4_096,
    /** Connections that every address may have; more when an equal part is more, or while there are plenty. */
    connectionsPerAddress: 64,
    /** Share of its time for which a shard's thread is busy, from which on accounts are held to their part of the rate. */
    fairFrom: 0.7,
    /** How often the parts are worked out, for how many accounts, and what a request costs beside its bytes. */
    fairTickMs: 500,
    fairAccounts: 5_000,
    requestCostBytes: 8 * KIB,
    /** What an account may have at once beyond its part: of thousands of accounts a part is less than one request a second. */
    fairBurstBytes: 64 * KIB,
    /** Time between two pieces of a body before the upload counts as stalled (408). */
    stallMs: 15_000,
    /** Time for a whole request, however steadily it trickles. */
    requestMs: 5 * MINUTE,
    /** Lines kept apart per request under `?invalid=quarantine`; more refuse the body. */
    quarantinedPerRequest: 1_000,
    /** Lines of one request: their places are held as 4 bytes each, and a turn of work is bounded by them. */
    linesPerRequest: 1_000_000,
    /** Plain bytes of a `?by=` body: it is held twice while it is split, and both fit the account's share. */
    splitBytes: 32 * MIB,
    /** Decompressions under way at once; below libuv's pool, so that they never delay a sync. */
    decompressions: 2,
    /** Plain bytes of a body that a shard's own thread decompresses: one to three milliseconds of a turn. */
    decompressedHereBytes: MIB + 64 * KIB,
    /** The same of a gzip body that may be stored as it was deflated, and has nothing to do in the thread pool then. */
    deflatedBytes: DEFLATED_BLOCK_BYTES,
    /** Of a refused request's unread body: how much is read on, and for how long, so that the answer gets through. */
    discardBytes: MIB,
    discardMs: 2_000,
    /** Tokens whose hash is remembered, so that a hot one is hashed once per configuration. */
    tokensCached: 1_000,
    /** Pairs of token and path whose meaning is remembered, some 500 bytes each. */
    standingsCached: 20_000,
    /** Zones found by a `?by=` value that are remembered, some 200 bytes each. */
    zonesCached: 50_000,
    /** Bodies to streams that nobody wants that are read at once, so that a flood of them leaves the thread to the others. */
    unwantedUploads: 4,
    /** For how long one of them keeps the next from being read. */
    unwantedUploadMs: 100,
    /** Share of a thread's time in which bodies are read that are only counted or thrown away: unwanted and refused ones. */
    unkeptShare: 0.15,
    /** Streams whose unwanted lines are counted one by one; those of all others are summed. */
    unwantedStreams: 1_000,
    /** Length of an `Idempotency-Key`. */
    keyBytes: 256,
  },
  shards: {
    /** Threads with a log and a listener of their own: more than a machine has cores bring nothing. */
    most: 16,
    /** Plain bytes of lines that one shard may have before it from one other: a shard that hangs must leave memory to the lines
     * of the others. */
    handedBytes: 24 * MIB,
  },
  log: {
    /** One record of the log, so that any engine of the Kafka protocol takes it as well. */
    recordBytes: MIB,
    /** A segment's size; at start at most one is scanned. */
    segmentBytes: 128 * MIB,
    /** Groups that wait for one commit, in bytes: bounds memory and the length of one sync. */
    commitBytes: 64 * MIB,
    /** Segments of one shard held open for reading: a backlog's readers are at few places at once. */
    openSegments: 64,
  },
  buffer: {
    /** Lines in a block: what one flipped bit may cost at most. */
    blockLines: 1_000,
    /** A block's plain bytes, with room for its header and keys in one record. */
    blockBytes: MIB - 64 * KIB,
    /**
     * The same of a block that is stored as its sender has deflated it: it cannot be cut, so that a flipped bit may cost as many.
     * Senders that gather up to a MiB of lines of some 250 bytes.
     */
    deflatedLines: 4_000,
    deflatedBytes: DEFLATED_BLOCK_BYTES,
    /** Records after which the log's tail gets its index, however small they are: places of blocks are held in memory. */
    spanBlocks: 65_536,
    /** The newest blocks held in memory, so that a job that keeps up never reads the disk. */
    tailCacheBytes: 32 * MIB,
    /**
     * For how long: some delivery intervals. Who comes later has a backlog, of which this would be the last to be read, and
     * needs the memory himself.
     */
    tailCacheMs: 10_000,
    /** Blocks deflated at once; below libuv's pool, so that intake never delays a sync. */
    compressions: 2,
    /** How long the thread that deflates small blocks may say nothing while it has work, for which answers wait: it has a few milliseconds of it. */
    apartSilentMs: 5_000,
    /** How long a shard does without it after it ended or hung: answers may not wait so again and again. */
    apartRestMs: MINUTE,
    /** Requests that may share a block. */
    blockKeys: 512,
    streams: 200_000,
    /** New streams a minute and account, and how many at once. */
    newStreamsPerMinute: 100,
    newStreamsBurst: 1_000,
    /** Idempotency keys remembered, and for how long in service. */
    keys: 250_000,
    keyMs: HOUR,
    producers: 10_000,
    /** Open plans of one job. */
    openPlans: 4,
    /** Settled ranges beyond the cursor of one job (open plans bound it; more is a bug). */
    settledRanges: 64,
    /** Lines stay this long in service after they are settled, so that they can be replayed. */
    holdbackMs: DAY,
    /** How long bytes of erased lines may stay in service before the log is copied without them: orders of half a day are
     * one copy, and the bytes are gone within a day. */
    erasureMs: 12 * HOUR,
    /** How long a replay may hold lines in service: what it has not delivered by then is told as expired. */
    replayMs: DAY,
    /** Share of the disk that holdback may use. */
    holdbackShare: 0.25,
    /** Waiting lines are kept this long in service. */
    retentionMs: 7 * DAY,
    /** Disk use from which streams above their fair share are refused. */
    lowWatermark: 0.8,
    /** Disk use from which everybody is refused. */
    highWatermark: 0.92,
    /** Kept free for plans, waybills, checkpoints and compaction. */
    reserveBytes: 64 * MIB,
    /** Index blocks of sealed spans held in memory. */
    indexCacheBytes: 16 * MIB,
    /** Bytes of log between two checkpoints at most. */
    checkpointBytes: 32 * MIB,
    /** Reads of the log under way at once; below libuv's pool, so that a backlog never delays a sync. */
    reads: 3,
    /**
     * Calls that read many small places at once: one for each batch that is being prepared. Their reads are bounded together where
     * they are made, so that a sync waits for few of them.
     */
    scatteredReads: 6,
  },
  deliver: {
    /** Seconds' worth of lines in a batch: how often a job delivers. */
    intervalMs: 5_000,
    intervalMsMin: 200,
    /** Unfilled batches a second from which on a shard makes fewer and larger ones: each costs a millisecond or two of CPU. */
    batchesPerSecond: 200,
    /** How long a batch waits at most because of that: what Logpush's own jobs wait. */
    stretchedMs: 30_000,
    /** Plans and waybills in a second from which on they wait for each other, so that they share commits, and for how long. */
    recordsPerSecond: 50,
    recordsGatherMs: 50,
    /** A batch's plain bytes, whatever the job says. */
    batchBytes: 64 * MIB,
    /** A batch's lines, whatever the job says (Logpush's default of `max_upload_records`). */
    batchLines: 100_000,
    /** A batch's plain bytes when the job sets nothing: some 2 MiB of gzip, large for a receiver, small for memory. */
    targetBytes: 16 * MIB,
    /** Blocks in a batch: bounds one look into the index when a producer sends line by line. */
    batchBlocks: 4_096,
    /** Blocks smaller than this (plain) are inflated and compressed again together: alone they shrink too little. */
    smallBlockBytes: 32 * KIB,
    /**
     * The same while so many jobs have lines that their batches wait for more: making one anew costs as much as half of all else.
     * Blocks of this size are delivered at twice the size of gzip -6.
     */
    sparingBlockBytes: 8 * KIB,
    /** Plain bytes handed to an encoder in one turn: well under 10 ms on the shard's thread. */
    turnBytes: 128 * KIB,
    /** Plain bytes from which on a batch that is made anew is made in a thread of its own: a core works on it for 5 ms and more. */
    apartBytes: 256 * KIB,
    /**
     * The same for lines that go out as they came, out of blocks so small that they are inflated and deflated again together. Here
     * that takes two trips through libuv's pool, each of which costs the shard's thread some 0.1 ms, and room beside the syncs there.
     */
    apartAgainBytes: 64 * KIB,
    /** How long that thread may say nothing while it has work, before it is ended: between two words it works on 2 MiB at most. */
    apartSilentMs: MINUTE,
    /** Batches being read, formatted and compressed at once; reads and compressions are bounded further below. */
    preparations: 6,
    /**
     * Of these in a thread of their own, which waits where cores are scarce: the others' do not wait for it. One that it works on, and
     * one that is there when that is done; more would only be held.
     */
    preparationsApart: 2,
    /** Malformed lines kept apart out of one batch; more are counted only. */
    malformedPerBatch: 100,
    /** Lines that a receiver may refuse out of a batch and still have taken the rest; more are like a refused batch. */
    refusedPerBatch: 100,
    /** Senders kept open for jobs, in all: a vendor's SDK costs memory for each. */
    senders: 1_000,
    /** Attempts that fail one after the other until a job is down to one probe at a time. */
    breakerFailures: 5,
    /** Open plans of one job from which none is split any more; bounds what a receiver that always asks for less can cause. */
    splitPlans: 48,
    /** How long an accepted batch counts as proof that a destination accepts batches. */
    acceptedRecentMs: 5 * MINUTE,
    /** How long after its abort an attempt may still answer, before it is given up on. */
    abortGraceMs: 5_000,
    /** Attempts under way, in all and for one account; a quarter of either for jobs whose last attempt failed. */
    attempts: 256,
    attemptsPerAccount: 32,
    /** Bytes held for attempts, in all and for one account. */
    heldBytes: 96 * MIB,
    heldBytesPerAccount: 32 * MIB,
    /** Replays at work at once on a shard, and how far behind a live job may be before those of its account wait. */
    replays: 4,
    replayLagMs: 30_000,
    /** Compressions under way at once; below libuv's pool. */
    compressions: 3,
    /** One attempt, from the first to the last byte. */
    attemptMs: 2 * MINUTE,
    /** Until a connection stands: name, TCP and TLS. */
    connectMs: 10_000,
    /** One question to one name server, and how often it is asked. */
    dnsMs: 2_000,
    dnsTries: 2,
    /** An unused connection is kept this long: some delivery intervals, and less than most receivers keep theirs. */
    idleMs: 15_000,
    /** Unused connections kept in all: each costs a file handle. */
    idleSockets: 512,
    /** The longest `Retry-After` that is obeyed: a receiver's typing error must not stop a job for years. */
    retryAfterMsMax: HOUR,
    /** An attempt without progress. */
    stallMs: 30_000,
    backoffMs: 1_000,
    backoffMsMax: 5 * MINUTE,
    probeMs: 30_000,
    /** Bytes of a receiver's answer that are read. */
    responseBytes: 64 * KIB,
    /** Attempts remembered per job. */
    attemptsListed: 1_000,
  },
  /** What a Kafka cluster may say of itself, and what a producer keeps of it. */
  kafka: {
    /** Bytes of one answer: a topic of 10,000 partitions fits. */
    answerBytes: MIB,
    /** Brokers of a cluster, partitions of a topic, kinds of requests that a broker knows: more is not believed. */
    brokers: 1_024,
    partitions: 10_000,
    apis: 512,
    /** Brokers that a destination_conf may name to begin with. */
    bootstrapBrokers: 16,
    /** Brokers that one batch is sent to at once, and connections that one job keeps. */
    leadersAtOnce: 8,
    connections: 64,
    /** How long leaders are believed without being asked again; an answer that says otherwise ends it at once. */
    metadataMs: 5 * MINUTE,
    /** How long a broker may wait for its replicas. */
    ackMs: 25_000,
    /** One record batch before compression: the brokers' own default is 1 MiB after it. And what a job may set. */
    recordBatchBytes: 1_000_000,
    recordBatchBytesMin: 16 * KIB,
    recordBatchBytesMax: 8 * MIB,
    /** Batches of one job that wait for their repeat, whose producer's count is kept for them. */
    unfinished: 16,
    /** Compressions of record batches under way at once on a shard's thread; below libuv's pool. */
    compressions: 2,
  },
  forward: {
    /** Plain bytes of one batch to a receiver: what a body may have after decompression leaves room for more. */
    batchBytes: 32 * MIB,
    /** Followed files whose place is remembered in the spool, besides producers that number their requests. */
    producers: 50_000,
    /** Files followed at once: each may cost a file handle. */
    files: 4_096,
    /** Bytes of one file read and accepted at once; a file that is far behind gives way to others after as many. */
    readBytes: 4 * MIB,
    /** How often followed files are looked at, and their patterns. */
    pollMs: 250,
    scanMs: 2_000,
    /** The longest document with a wanted set: 200,000 streams with long names. */
    wantedBytes: 64 * MIB,
    /** How long the answer to a question for it may take beyond its wait. */
    wantedAnswerMs: 30_000,
    /** Questions for the wanted set that wait for news at once, in all and of one token; beyond them the answer comes at once. */
    wantedWaiters: 2_000,
    wantedWaitersPerToken: 32,
    /** The longest wait. */
    wantedWaitMs: 5 * MINUTE,
    /** Streams that a set names as ended on purpose, and entries of the change log that are looked through for them at a start. */
    wantedEnded: 50_000,
    wantedEntries: 20_000,
    /** Open connections to the status address. */
    statusConnections: 64,
  },
  ledger: {
    archiveMs: 90 * DAY,
    archiveFileBytes: 64 * MIB,
    /** Job series in the metrics; the largest lag comes first. */
    jobSeries: 1_000,
    /** Lines kept apart (quarantined, rejected, malformed) per account. */
    keptLines: 10_000,
    keptBytes: 64 * MIB,
  },
  /** Notices of lost lines at destinations. */
  lossNotices: {
    /** Losses that come together are told together. */
    gatherMs: 2_000,
    /** A job that loses lines all the time gets a notice a minute. */
    spacingMs: MINUTE,
    /** Waits for a destination that does not take one. */
    retryMs: 2_000,
    retryMsMost: 10 * MINUTE,
    /** Notices that wait: two days of hours for a job, some 50 MiB in all. */
    owedPerJob: 48,
    owed: 100_000,
    /** Ranges of offsets in a notice: it stays one short line. */
    ranges: 20,
    /** Waybills with losses that are remembered, some 60 bytes each. */
    heard: 200_000,
    /** What a server tells that has lost its memory of what it told. */
    reachBackMs: DAY,
    /** A deleted job can be restored for a while. */
    keepMs: 7 * DAY,
    /** Each takes a connection for seconds, at most. */
    atOnce: 4,
    /** One attempt: less than the control thread waits for a shard's answer. */
    attemptMs: 8_000,
    tendMs: 1_000,
  },
  watch: {
    /** How often a shard says how it stands; also its sign of life. */
    beatMs: 1_000,
    /** Streams in one such message: a turn of a millisecond or two on either thread. */
    beatStreams: 500,
    /** Jobs looked at in one turn after a start, for backlogs of before. */
    seedJobs: 2_000,
    /** Time between two looks at one stream at least. */
    lookMs: 5_000,
    /** Checks without a sign of life until a shard counts as hung, and until its thread is ended and started again. */
    hungBeats: 10,
    restartBeats: 60,
    /** How long a stream's lines come in and none is settled until that is an alert; longer when failures explain it. */
    nothingSettlesMs: 3 * MINUTE,
    nothingSettlesExplainedMs: 10 * MINUTE,
    /** How long a stream had lines in every minute, and then has none, until that is an alert; and when it is given up. */
    steadyMs: 15 * MINUTE,
    silentMs: 3 * MINUTE,
    silentMostMs: DAY,
    /** Streams remembered as steady. */
    steadyStreams: 20_000,
    /** How long a job fails until that is an alert, and how long it must have been well until the alert ends. */
    failingMs: 3 * MINUTE,
    wellMs: MINUTE,
    /** Share of the retention that a backlog is old, from which on its owner is told. */
    backlogShare: 0.5,
    /** Time until the disk is full, at its present rate, from which on that is told, and from which on it is over. */
    diskEndsMs: 6 * HOUR,
    diskEndsOverMs: 12 * HOUR,
    /** How long the disk's use is looked at before its rate counts. */
    diskLookMs: 10 * MINUTE,
    /** How long a published configuration may take until it is in force everywhere. */
    behindMs: 30_000,
    /** How long after its last event an alert about events (lost lines, an alarm in the log) goes on. */
    quietMs: HOUR,
    /** Jobs whose books are compared with the shard's totals in one go, and how often. */
    auditJobs: 5,
    auditMs: 5_000,
    /** Alerts that fire at once, and those that are over and still listed. */
    alerts: 5_000,
    resolved: 2_000,
    /** An alert that goes on is told again after this time, and one that comes back sooner than that is not told anew. */
    reminderMs: 6 * HOUR,
    flapMs: 15 * MINUTE,
    /** Series of single alerts in the metrics. */
    series: 1_000,
    /** Webhooks of the operator or of one account. */
    webhooks: 10,
    /** Messages that wait for one webhook; alerts in one message. */
    webhookQueue: 100,
    webhookAlerts: 50,
    /** How long alerts gather for one message. */
    webhookGatherMs: 2_000,
    /** One attempt, how many there are, and the waiting time between them (doubling). */
    webhookAttemptMs: 10_000,
    webhookAttempts: 8,
    webhookBackoffMs: 5_000,
    webhookBackoffMsMax: 10 * MINUTE,
    webhookUrlBytes: 2_048,
    /** Attempts to webhooks under way at once, in all. */
    webhookSends: 8,
  },
  live: {
    /** Sessions of Instant Logs in all; each holds an arena on the shard and one message on the control thread. */
    sessions: 64,
    /** A session's life, as with Logpush. */
    sessionMs: HOUR,
    /** How long a session waits for a listener, as with Logpush. */
    listenerMs: 5 * MINUTE,
    /** Tries to connect to one session. */
    connectsPerMinute: 30,
    /** Lines kept for a session until the next hand-over: what is looked at before the filter. Longer lines are not shown. */
    tapBytes: 256 * KIB,
    tapLines: 2_000,
    /** Time between two hand-overs of one session at least. */
    tickMs: 100,
    /** Records in one message to a listener; more than people read, and little enough for a browser. */
    records: 250,
    /** How often a listener is asked for a sign of life; one that gave none until the next time is dropped. */
    pingMs: 30_000,
    /** What a listener may send at once: it has nothing to say. */
    incomingBytes: 4 * KIB,
  },
  pull: {
    /** The longest window of one Logpull request, as with Logpush. */
    spanMs: HOUR,
    /** How far back a window may begin, as with Logpush; less is there when the holdback is shorter. */
    reachMs: 7 * DAY,
    /** How long ago a window must have ended, as with Logpush: until then its lines may still be on their way to disk. */
    settleMs: MINUTE,
    /** Requests a minute for one zone and of one token, as with Logpush. */
    requestsPerMinute: 15,
    requestsPerMinuteOfToken: 180,
    /** Answers being made at once, in all and of one zone: each holds about two pages, and their reads take turns. */
    answers: 12,
    answersPerStream: 2,
    /** Plain bytes of one page that a shard reads for an answer. */
    pageBytes: MIB,
    /** One answer's bytes and time, as with Logpush. */
    answerBytes: 10 * 1024 * MIB,
    answerMs: 10 * MINUTE,
    /** How long an answer waits for a reader that takes nothing. */
    stallMs: 30_000,
    /** Fields that one request may name, in bytes. */
    fieldsBytes: 8 * KIB,
    /** A look-up by ray id: plain bytes looked through (some seconds' worth), and time. */
    rayBytes: 1024 * MIB,
    rayMs: 20_000,
    /** Lines that one look-up answers with. */
    rayLines: 100,
    /** Lines stepped back at once while a ray id is looked for, newest first. */
    rayStepLines: 20_000,
    /** How much earlier, by reception, lines of a ray are still looked for once one was found. */
    rayPastMs: 5 * MINUTE,
  },
  control: {
    bodyBytes: MIB,
    /** A configuration as one document: 10,000 jobs with long destinations. */
    documentBytes: 16 * MIB,
    /** Room for a client's certificate with its chain, its key and an authority (mutual TLS); Logpush takes 4 KiB. */
    destinationConfBytes: 16 * KIB,
    filterBytes: 4_096,
    filterConditions: 30,
    /** What output options add to each record by themselves (names, delimiters, template): a block of 1,000 lines grows by
     * at most as many times this. */
    recordTextBytes: 8 * KIB,
    /** Text around a batch. */
    batchTextBytes: 4 * KIB,
    /** How often a template may name one field: a block grows by at most this factor. */
    templateRepeats: 4,
    jobs: 100_000,
    /** Jobs of one account or zone, unless an operator says otherwise for the account. */
    jobsPerScope: 100,
    /** Deleted jobs of one account or zone that can be restored; the oldest make room. */
    deletedJobsPerScope: 100,
    /** Replays of one account that may be under way at once, and in all: each is a cursor that holds lines. */
    replaysPerAccount: 8,
    replays: 1_000,
    /** Ended replays and erasures kept for looking at, of one account. */
    endedPerAccount: 100,
    /** How often it is looked whether held jobs, replays and erasures are over. */
    heldSweepMs: 2_000,
    /** How long erasing waits for the shard: it looks at every stream of an account. */
    erasureMs: 20_000,
    /** Contents kept of a job's past: far more than plans that are open at once can have been made with. */
    olderContents: 16,
    /** How long an ownership challenge can be used, as at Logpush. */
    challengeMs: 7 * DAY,
    /** One trial of a destination: an answer that takes longer is none. */
    trialMs: 8_000,
    /** Trials a minute that one account may ask for, and under way at once for it and in all: each speaks to a stranger. */
    trialsPerMinute: 30,
    trialsPerAccount: 4,
    trials: 16,
    tokens: 100_000,
    /** Accounts and zones: what memory for their names and the time of a snapshot allow. */
    accounts: 100_000,
    zones: 200_000,
    /** Datasets that operators define, and the fields of one. */
    datasets: 1_000,
    datasetFields: 1_000,
    /** Scopes that one token may be bound to. */
    tokenScopes: 1_000,
    /** Names of accounts, zones and tokens. */
    nameLength: 256,
    /** Entries of the change log; the oldest make room. */
    changes: 250_000,
    /** Objects that the difference of two versions lists one by one. */
    diffObjects: 1_000,
    /** Items on one page of a list under `/v1`. */
    pageItems: 1_000,
    /** How long the API waits for the data plane before it says so (I9). */
    dataPlaneMs: 3_000,
    /** How long a change waits for its snapshot to be in force before it is answered anyway. */
    publishWaitMs: 1_000,
    /** Open connections to the control listener, and the time that one request may take to arrive. */
    connections: 1_024,
    requestMs: 30_000,
    /** How long a create that the SDK repeats after a lost answer finds the first one's job. */
    repeatedCreateMs: MINUTE,
  },
  guard: {
    /** The time over which single changes of operators are summed. */
    hourMs: HOUR,
    /** Accounts and streams whose delivery an operator may end in an hour by single changes, or this share of all streams. Also
     * the share that one document may end. */
    accounts: 2,
    streams: 10,
    share: 0.1,
    /** Streams that may be wanted at once: what a data folder holds. */
    capacityStreams: 200_000,
    /** Bytes an hour that streams may be expected to carry before no document may add more: half of what one shard has taken
     * on two cores, for 24 hours a day. */
    capacityBytesPerHour: 3_600 * 100_000_000,
    /** Changes a minute that an account's own tokens may make: each costs a commit and a snapshot. */
    customerChangesPerMinute: 1_200,
    /** Refusals that can be insisted on, and for how long. */
    tokens: 1_000,
    tokenMs: HOUR,
    /** Streams that a refusal names. */
    examples: 5,
    /** Streams that a document would end whose traffic is asked for before it is judged; of more it is known from before. */
    askedStreams: 1_000,
    /** What streams carry is learned in turns: streams in a turn (some milliseconds), between two turns, between two rounds. */
    trafficStreams: 200,
    trafficTurnMs: 250,
    trafficRoundMs: 10 * MINUTE,
    /** How long the ledger is waited for. */
    trafficWaitMs: 2_000,
    /** What an hour must lie within to count as one of a stream's last busy ones. */
    busyMs: 7 * DAY,
    /** The reason that an operator gives. */
    reasonLength: 1_000,
  },
  via: {
    /** Servers that a stream's lines may have passed through: enough for many forwarders, a header of 2 KiB. */
    namesPerStream: 64,
    /** Such names in all, some 200 bytes each. */
    names: 50_000,
    /** How long lines count as having come through a server that is not heard of any more. */
    keepMs: DAY,
  },
  snapshots: {
    /** History of the configuration: as long as the archive of waybills that name its versions. */
    keepMs: 90 * DAY,
    /** All snapshot files together; the oldest history makes room, whatever its age. */
    folderBytes: 512 * MIB,
    /** Changes since the last base that are cheap to read again at a start. */
    changeBytesLeast: 4 * MIB,
    /** How often the control store's file is looked at: a store that was lost is told within it. */
    lookMs: 5_000,
    /** How often all of it is read and held to its checksum, which takes some 10 ms for 1,000 jobs. */
    lookWholeMs: 10 * MINUTE,
  },
} as const;
