//! `/api/v1/events`: what happens, as it happens, over WebSocket; numbered, so that a client that lost its connection goes on
//! where it was.
//!
//! The last events are kept in a ring. A client too far behind is told of the gap and reads the present anew. No event holds a
//! citizen's number: whoever may see it asks for the call.

mod ring;
mod source;

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, interval, timeout};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::error::{ApiError, ErrorBody};
use super::extract::Params;
use super::queues::{Queue, serves};
use super::rights::{self, May, Scope, SeeFloor};
use super::seats::Seat;
use super::session::{self, Session};
use crate::center::SeatNews;
pub use ring::Ring;
pub use source::{Feed, feed, follow};

/// Streams at a time; further ones get 503.
pub(super) const STREAMS: usize = 1_024;
/// A ping this often keeps proxies from closing, and finds peers that are gone.
const PING: Duration = Duration::from_secs(20);
/// A peer that has said nothing for so long, not even a pong, is gone.
const SILENT: Duration = Duration::from_secs(60);
/// The session behind a stream is looked at again this often.
const CHECK: Duration = Duration::from_secs(10);
/// Longest time for one message to leave.
const SEND: Duration = Duration::from_secs(10);
/// Events that are taken out of the ring at a time.
const PORTION: usize = 256;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(listen))
}

/// A message of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Said {
    /// The first message.
    Hello {
        /// This run of the exchange; numbers of another run mean nothing here.
        run: String,
        /// Number of the last event so far.
        seq: u64,
    },
    /// Events are missing: read seats, queues and calls anew.
    Gap {
        /// Number of the first that is missing.
        from: u64,
        /// Number of the last that is missing.
        to: u64,
    },
    /// An event.
    Event(Event),
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// Its number, one more than the one before. Events that one may not see are left out.
    #[schema(example = 4711)]
    pub seq: u64,
    /// When, milliseconds since 1970.
    pub at: i64,
    /// What.
    pub happened: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happened {
    /// A step of a call.
    Call(CallStep),
    /// A seat is now thus.
    Seat(SeatNow),
    /// Something about a seat that its team lead should see at once.
    SeatNews(SeatNotice),
    /// A queue is now thus.
    Queue(QueueNow),
}

/// A step of a call.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CallStep {
    /// Which call.
    #[schema(example = "c30117452718080001")]
    pub call: String,
    /// Which step, as in its record.
    #[schema(example = "ringing")]
    pub step: String,
    /// The line dialled, when it arrives.
    pub line: Option<String>,
    /// The queue, when it comes into one.
    pub queue: Option<String>,
    /// The seat of this step.
    pub seat: Option<u32>,
    /// What became of it, at its end.
    pub fate: Option<String>,
    /// Seats to which it was offered so far: theirs may see it.
    #[serde(skip)]
    pub seats: Vec<u32>,
}

/// A seat as `/seats` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SeatNow {
    /// The seat.
    pub(super) seat: Seat,
}

/// What became of a seat, the moment it did.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SeatNotice {
    /// Which seat.
    #[schema(example = 8001)]
    pub(super) seat: u32,
    /// Number of the person there, if one signed in.
    #[schema(example = 1027)]
    pub(super) agent: Option<u32>,
    /// `{"presence": ...}` as `/seats` shows it (`{"not_ready": "no_answer"}`: it rang and nobody answered), `"break_over"`,
    /// or `{"healed": ...}`: the monitor put something right.
    #[schema(example = json!({"presence": {"not_ready": "no_answer"}}))]
    pub(super) change: serde_json::Value,
}

impl SeatNotice {
    fn of(news: SeatNews) -> Self {
        Self {
            seat: news.seat.0,
            agent: news.agent.map(|agent| agent.0),
            change: serde_json::to_value(&news.change).unwrap_or_default(),
        }
    }
}

/// A queue as `/queues` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QueueNow {
    /// The queue.
    pub(super) queue: Queue,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Question {
    /// `run` of the stream before.
    run: Option<String>,
    /// Number of the last event that was received there.
    after: Option<u64>,
}

/// The stream of events, over WebSocket. Messages are JSON texts.
#[utoipa::path(get, path = "/events", tag = "events", params(Question),
    responses((status = 101, description = "The stream begins", body = Said),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn listen(
    State(shared): State<Shared>,
    who: May<SeeFloor>,
    Params(question): Params<Question>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|e| ApiError::BadRequest(e.body_text()))?;
    let place = shared.streams.clone().try_acquire_owned().map_err(|_| ApiError::Busy)?;
    // Nothing that a client says is looked at, so it has nothing long to say.
    let upgrade = upgrade.max_message_size(4096).max_frame_size(4096);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let mut stream = Stream { shared, who: who.session, socket, after: 0, heard: Instant::now(), _place: place };
        stream.run(question).await;
    }))
}

/// One client.
struct Stream {
    shared: Shared,
    who: Session,
    socket: WebSocket,
    /// Number of the last event that was dealt with.
    after: u64,
    heard: Instant,
    _place: OwnedSemaphorePermit,
}

/// The connection or the session is over.
struct Over;

impl Stream {
    async fn run(&mut self, question: Question) {
        let mut news = self.shared.events.news();
        let (mut ping, mut check) = (interval(PING), interval(CHECK));
        if self.begin(question).await.is_err() {
            return;
        }
        loop {
            let step = tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => self.send_new().await,
                    Err(_) => Err(Over),
                },
                said = self.socket.recv() => match said {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => { self.heard = Instant::now(); Ok(()) }
                },
                _ = ping.tick() => self.ping().await,
                _ = check.tick() => self.check().await,
            };
            if step.is_err() || self.shared.events.is_closed() {
                let _gone = timeout(SEND, self.socket.send(Message::Close(None))).await;
                return;
            }
        }
    }

    async fn begin(&mut self, question: Question) -> Result<(), Over> {
        let (run, last) = self.shared.events.position();
        self.say(&Said::Hello { run: run.clone(), seq: last }).await?;
        self.after = match (question.run, question.after) {
            (Some(theirs), Some(after)) if theirs == run => after.min(last),
            // Numbers of another run: all that happened since is missing.
            (Some(_), _) => {
                self.say(&Said::Gap { from: 0, to: last }).await?;
                last
            }
            (None, _) => last,
        };
        self.send_new().await
    }

    async fn send_new(&mut self) -> Result<(), Over> {
        loop {
            let events = self.shared.events.after(self.after, PORTION);
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                if event.seq > self.after + 1 {
                    self.say(&Said::Gap { from: self.after + 1, to: event.seq - 1 }).await?;
                }
                self.after = event.seq;
                if self.may_see(&event) {
                    self.say(&Said::Event((*event).clone())).await?;
                }
            }
        }
    }

    fn may_see(&self, event: &Event) -> bool {
        if rights::scope::<SeeFloor>(&self.who) == Scope::All {
            return true;
        }
        match &event.happened {
            Happened::Call(step) => self.is_at_own_seat(step),
            Happened::Seat(now) => now.seat.is_of(&self.who),
            Happened::SeatNews(news) => self.shared.events.seat_of(&self.who) == Some(news.seat),
            Happened::Queue(now) => serves(&self.who, &now.queue.queue),
        }
    }

    fn is_at_own_seat(&self, step: &CallStep) -> bool {
        self.shared.events.seat_of(&self.who).is_some_and(|seat| step.seats.contains(&seat))
    }

    async fn ping(&mut self) -> Result<(), Over> {
        if self.heard.elapsed() > SILENT {
            return Err(Over);
        }
        self.send(Message::Ping(bytes::Bytes::new())).await
    }

    /// A session that was ended, or lost the right, ends its stream.
    async fn check(&mut self) -> Result<(), Over> {
        let found = session::again(&self.shared, &self.who).await.map_err(|_| Over)?;
        rights::check::<SeeFloor>(&found).map_err(|_| Over)?;
        self.who = found;
        Ok(())
    }

    async fn say(&mut self, said: &Said) -> Result<(), Over> {
        let text = serde_json::to_string(said).expect("texts and numbers can be written as JSON");
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Over> {
        match timeout(SEND, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }
}
