//! Actors take turns by seed: readers (one of them with a memory of its own), writers who may be killed or lose their
//! answer, somebody who clears or recovers the cache, in a sealed one somebody who changes its keys, and a clock that jumps.
//! Every answer from the cache is judged.

use super::aws::{ACCOUNTS, Aws, KINDS, SETS, SETTLE_MS, group, itemized, user};
use super::encryption::{Kept, Seal};
use super::mutants::{Mutant, Mutated};
use awsideman::cache::{Cache, EntrySettings, Fences, SharedStore};
use awsideman::clock::{Clock, ManualClock};
use awsideman::config::Ttls;
use awsideman::gateway::{
    Attribute, CachePolicy, Gateway, GatewayError, Grant, Mutation, NewUser, Request, Selection, Writing,
};
use awsideman::progress::NoProgress;
use awsideman::secure_fs::Access;
use awsideman::store::{Disk, Options, Select, Store, StoreError, Tiered};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::Duration;

/// What was played.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) reads: u64,
    pub(crate) hits: u64,
    /// Hits after a change had returned.
    pub(crate) late_hits: u64,
    pub(crate) writes: u64,
    pub(crate) killed: u64,
    pub(crate) lost: u64,
    pub(crate) clears: u64,
    pub(crate) flips: u64,
    pub(crate) lapses: u64,
    /// Changes of the keys.
    pub(crate) keys: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, more: &Seen) {
        let Seen { reads, hits, late_hits, writes, killed, lost, clears, flips, lapses, keys } = more;
        self.reads += reads;
        self.hits += hits;
        self.late_hits += late_hits;
        self.writes += writes;
        self.killed += killed;
        self.lost += lost;
        self.clears += clears;
        self.flips += flips;
        self.lapses += lapses;
        self.keys += keys;
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { reads, hits, late_hits, writes, killed, lost, clears, flips, lapses, keys } = self;
        write!(
            f,
            "{reads} reads, {hits} from the cache, {late_hits} of them after a change; {writes} changes, {killed} killed, \
             {lost} answers lost; {clears} clears, {flips} recoveries, {lapses} fences left to lapse, \
             {keys} changes of keys"
        )
    }
}

struct OnDisk(Arc<dyn Store>, Arc<Disk>);

impl SharedStore for OnDisk {
    fn store(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.0.clone())
    }
    fn retire(&self, _: Option<i64>, _: i64) -> Result<(), StoreError> {
        self.1.retire()
    }
    fn shorten(&self, _: i64, _: i64, _: i64) {}
    fn distrust(&self, _: &str) -> Result<(), StoreError> {
        unreachable!("the disk is sound")
    }
}

enum Done {
    Read(Result<Value, GatewayError>),
    Written,
}

struct Actor {
    turn: Pin<Box<dyn Future<Output = Done>>>,
    reads: Option<Read>,
    aws: Aws,
}

/// A read under way: what it asks, and which changes had returned when it began.
struct Read {
    request: Request,
    returned: Vec<usize>,
}

struct Stage {
    dice: fastrand::Rng,
    clock: Arc<ManualClock>,
    /// What processes have open: the disk, and the disk behind a memory of their own.
    stores: [Arc<dyn Store>; 2],
    disk: Arc<Disk>,
    fences: Fences,
    kept: Kept,
    seal: Seal,
    mutant: Mutant,
    aws: Aws,
    returned: Vec<usize>,
    asked: Vec<Request>,
    seen: Seen,
    root: tempfile::TempDir,
}

/// Plays one seed; the error is the violation.
pub(crate) fn play(seed: u64, kept: Kept, mutant: Mutant) -> Result<Seen, String> {
    let mut stage = Stage::new(seed, kept, mutant);
    let mut actors: Vec<Actor> = Vec::new();
    let (mut reads, mut writes) = (20, 3);
    while !actors.is_empty() || reads > 0 {
        if actors.len() < 4 && (actors.is_empty() || stage.dice.u8(0..4) == 0) {
            if writes > 0 && stage.dice.u8(0..4) == 0 {
                writes -= 1;
                actors.push(stage.write());
            } else if reads > 0 {
                reads -= 1;
                actors.push(stage.read());
            }
        }
        stage.something_happens();
        if actors.is_empty() {
            continue;
        }
        let at = stage.dice.usize(0..actors.len());
        if actors[at].reads.is_none() && stage.dice.u8(0..30) == 0 {
            stage.seen.killed += 1;
            drop(actors.swap_remove(at));
            continue;
        }
        let waker = std::task::Waker::noop();
        if let std::task::Poll::Ready(done) = actors[at].turn.as_mut().poll(&mut Context::from_waker(waker)) {
            let actor = actors.swap_remove(at);
            stage.ended(&actor, done)?;
        }
    }
    stage.curtain()?;
    stage.seen.lost = stage.aws.lost();
    Ok(stage.seen)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    loop {
        if let Some(done) = future.as_mut().now_or_never() {
            return done;
        }
    }
}

fn options(root: &tempfile::TempDir) -> Options {
    Options { dir: root.path().join("cache"), access: Access::Owner, busy: Duration::from_secs(5) }
}

fn plain(seal: &Seal, root: &tempfile::TempDir, mutant: Mutant) -> Arc<dyn Store> {
    Arc::new(Mutated(seal.open(&options(root)), mutant))
}

fn near(seal: &Seal, root: &tempfile::TempDir, mutant: Mutant, clock: &Arc<ManualClock>) -> Arc<dyn Store> {
    Arc::new(Tiered::new(Mutated(seal.open(&options(root)), mutant), 0, clock.clone()))
}

fn fences(seal: &Seal, root: &tempfile::TempDir, mutant: Mutant, clock: &Arc<ManualClock>, disk: &Arc<Disk>) -> Fences {
    let told = OnDisk(plain(seal, root, mutant), disk.clone());
    let settle = if mutant == Mutant::NoSettle { 0 } else { SETTLE_MS.unsigned_abs() };
    Fences::new(vec![Arc::new(told)], clock.clone(), Duration::from_millis(settle))
}

impl Stage {
    fn new(seed: u64, kept: Kept, mutant: Mutant) -> Stage {
        // Thousands of small databases: where there is memory that looks like a disk, they need not wait for one.
        let shm = std::path::Path::new("/dev/shm");
        let root = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let clock = Arc::new(ManualClock::at(1_800_000_000_000));
        let aws = Aws::new(clock.clone(), seed);
        let disk = Arc::new(Disk::open(&options(&root)).unwrap());
        let seal = Seal::new(kept);
        let stores = [plain(&seal, &root, mutant), near(&seal, &root, mutant, &clock)];
        let fences = fences(&seal, &root, mutant, &clock, &disk);
        let dice = fastrand::Rng::with_seed(seed);
        let (returned, asked, seen) = (vec![], vec![], Seen::default());
        let mut stage =
            Stage { dice, clock, stores, disk, fences, kept, seal, mutant, aws, returned, asked, seen, root };
        // A few questions that come again and again, so that the cache has something to answer.
        stage.asked = (0..3).map(|_| stage.any_request()).collect();
        stage
    }

    /// What a process makes of one of the stores; `aws` counts its calls.
    fn gateway(&self, store: usize, aws: &Aws) -> Gateway {
        let cache = Cache::new(self.stores[store].clone(), self.clock.clone(), settings());
        let selection =
            Selection { fingerprint: "f".into(), region: None, endpoint: None, wanted: None, sso_region: None };
        // Commands, not jobs: nobody waits for a fence.
        let recorder = Arc::new(|_, _, _| ());
        Gateway::new(cache, Arc::new(aws.clone()), selection, self.root.path().into(), Some(recorder))
    }

    fn some_user(&mut self) -> String {
        user(self.dice.u64(0..2))
    }

    fn request(&mut self) -> Request {
        self.dice.choice(&self.asked).unwrap().clone()
    }

    fn any_request(&mut self) -> Request {
        let (user, group) = (self.some_user(), group(self.dice.u64(0..2)));
        let (account, set) = (self.dice.choice(ACCOUNTS).unwrap(), self.dice.choice(SETS).unwrap());
        match self.dice.u8(0..12) {
            0 | 1 => Request::Users,
            2 => Request::User(user),
            3 => Request::UserByName(["name0", "NAME1", "new0", "New1"][self.dice.usize(0..4)].into()),
            4 => Request::UserGroups(user),
            5 => Request::Groups,
            6 => Request::Group(group),
            7 => Request::GroupMembers(group),
            8 => Request::Assignments { account: account.into(), permission_set: set.into() },
            9 => {
                let kind = self.dice.choice(KINDS).unwrap();
                let id = if kind.as_str() == "USER" { user } else { group };
                Request::PrincipalAssignments { kind, id }
            }
            10 => Request::PermissionSetAccounts(set.into()),
            _ => Request::AccountPermissionSets(account.into()),
        }
    }

    fn change(&mut self) -> Mutation {
        let (user, group) = (self.some_user(), group(self.dice.u64(0..2)));
        let name = format!("new{}", self.dice.u8(0..2));
        let update = |path: &str, value: &str| vec![Attribute { path: path.into(), value: Some(json!(value)) }];
        match self.dice.u8(0..10) {
            0 => Mutation::CreateUser(NewUser { user_name: name, ..NewUser::default() }),
            1 | 2 => Mutation::UpdateUser { id: user, attributes: update("displayName", "x"), revision: None },
            3 => Mutation::UpdateUser { id: user, attributes: update("userName", &name), revision: None },
            4 => Mutation::DeleteUser { id: user, revision: None },
            5 => Mutation::DeleteGroup { id: group, revision: None },
            6 => Mutation::AddMember { group, user },
            7 => Mutation::RemoveMember { membership: "m".into(), group, user },
            sort => {
                let grant = Grant {
                    account: self.dice.choice(ACCOUNTS).unwrap().into(),
                    permission_set: self.dice.choice(SETS).unwrap().into(),
                    kind: KINDS[0],
                    principal: user,
                };
                if sort == 8 { Mutation::Assign(grant) } else { Mutation::Revoke(grant) }
            }
        }
    }

    fn read(&mut self) -> Actor {
        let request = self.request();
        let aws = self.aws.handle();
        let store = self.dice.usize(0..2);
        let gateway = self.gateway(store, &aws);
        let asked = request.clone();
        let turn =
            async move { Done::Read(gateway.reader().value(&asked, &CachePolicy::default(), &NoProgress).await) };
        self.seen.reads += 1;
        let read = Read { request, returned: self.returned.clone() };
        Actor { turn: Box::pin(turn), reads: Some(read), aws }
    }

    fn write(&mut self) -> Actor {
        let change = self.change();
        let aws = self.aws.handle();
        let gateway = self.gateway(0, &aws);
        let writing = Writing { fences: self.fences.clone(), journal: None, patience: Duration::from_secs(1) };
        self.seen.writes += 1;
        let turn = async move {
            // Whether AWS did it, refused it or lost its answer: it has returned.
            let _ = gateway
                .writer()
                .write(&change, None, &writing, &std::sync::atomic::AtomicBool::new(false), &NoProgress)
                .await;
            Done::Written
        };
        Actor { turn: Box::pin(turn), reads: None, aws }
    }

    fn something_happens(&mut self) {
        match self.dice.u16(0..400) {
            0..60 => self.clock.advance(Duration::from_millis(self.dice.u64(0..4_000))),
            60..62 => {
                self.seen.lapses += 1;
                self.clock.advance(Duration::from_mins(6));
            }
            62..63 => {
                self.seen.clears += 1;
                self.stores[0].remove(&[Select::All], None, self.clock.now()).unwrap();
            }
            63..64 => {
                self.seen.flips += 1;
                self.disk.flip(self.clock.now()).unwrap();
            }
            64..68 if self.kept == Kept::Sealed => self.keys_change(),
            _ => {}
        }
    }

    /// New processes have the new keys. One that was there may stay, and know only those it had.
    fn keys_change(&mut self) {
        self.seen.keys += 1;
        self.seal.change(&options(&self.root), &mut self.dice);
        self.stores[0] = plain(&self.seal, &self.root, self.mutant);
        if self.dice.bool() {
            self.stores[1] = near(&self.seal, &self.root, self.mutant, &self.clock);
        }
        if self.dice.bool() {
            self.fences = fences(&self.seal, &self.root, self.mutant, &self.clock, &self.disk);
        }
    }

    fn ended(&mut self, actor: &Actor, done: Done) -> Result<(), String> {
        let Some(read) = &actor.reads else {
            let version = actor.aws.applied.load(Ordering::SeqCst);
            if version > 0 {
                self.returned.push(version);
            }
            return Ok(());
        };
        let from_cache = actor.aws.calls.load(Ordering::SeqCst) == 0;
        let Done::Read(answer) = done else { unreachable!("a reader reads") };
        if from_cache {
            self.seen.hits += 1;
            self.seen.late_hits += u64::from(!read.returned.is_empty());
            self.judge(&read.request, answer, &read.returned)?;
        }
        Ok(())
    }

    /// At the end, when everything has settled, nothing that is still held may be older than a change that returned.
    fn curtain(&mut self) -> Result<(), String> {
        self.clock.advance(Duration::from_mins(10));
        let requests = self.asked.clone();
        for request in requests {
            for store in 0..self.stores.len() {
                let gateway = self.gateway(store, &self.aws.handle());
                match now(gateway.reader().value(&request, &CachePolicy::CACHE_ONLY, &NoProgress)) {
                    Err(GatewayError::NotCached { .. }) => {}
                    answer => self.judge(&request, answer, &self.returned)?,
                }
            }
        }
        Ok(())
    }

    fn judge(&self, request: &Request, answer: Result<Value, GatewayError>, returned: &[usize]) -> Result<(), String> {
        let items = match answer {
            Ok(answer) => itemized(request, answer),
            Err(GatewayError::NotFound { .. }) => BTreeMap::new(),
            Err(error) => panic!("{request:?}: {error}"),
        };
        let truths = self.aws.truths(request);
        let mut ids: Vec<&String> = truths.iter().flat_map(BTreeMap::keys).chain(items.keys()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let changed = |version: &&usize| truths[**version].get(id) != truths[**version - 1].get(id);
            let least = returned.iter().filter(changed).max().copied().unwrap_or(0);
            if !truths[least..].iter().any(|truth| truth.get(id) == items.get(id)) {
                return Err(format!(
                    "{request:?} was answered with {:?} for `{id}`, but change {least} had made it {:?}",
                    items.get(id),
                    truths[least].get(id)
                ));
            }
        }
        Ok(())
    }
}

fn settings() -> EntrySettings {
    EntrySettings {
        ttls: Ttls { default: Duration::from_hours(24), by_resource: [].into(), by_operation: [].into() },
        not_found_ttl: Duration::from_hours(1),
        stale_if_error: Duration::from_hours(1),
        max_age: None,
        compression: false,
    }
}
