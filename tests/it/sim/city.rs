//! The plan of a small city for simulated worlds: four lines, two queues, six seats.

use yihao::dialplan::{AnswerWhen, Hours, Line, Phase, Plan, Queue, QueueService, Seat, Service};
use yihao::types::{LineNumber, PromptName, QueueId, SeatId, Wall};

pub(crate) const SEATS: [u32; 6] = [8001, 8002, 8003, 8004, 8005, 8006];

/// The plan of the world; the other one has its queues in another order.
pub(crate) fn plan(turned: bool) -> Plan {
    let number = |text: &str| LineNumber::parse(text).expect("a number");
    let mut queues = vec![queue("general", "general", None), queue("expert", "12333", Some(45_000))];
    if turned {
        queues.reverse();
    }
    let at = |name: &str| QueueId(u16::from(queues[0].name != name));
    let line = |text: &str, queue: &str, answer: AnswerWhen| Line {
        number: number(text),
        name: format!("line {text}"),
        unit: String::new(),
        hours: Hours::Always,
        phases: vec![Phase {
            from: Wall(0),
            mode: "双号并行".into(),
            service: Service::Queue(QueueService {
                queue: at(queue),
                greeting: PromptName::new(&format!("greeting/{text}")),
                answer,
                priority: u8::from(text == "12315"),
            }),
        }],
    };
    let mut lines = vec![
        line("12345", "general", AnswerWhen::AtOnce),
        line("12315", "general", AnswerWhen::BySeat),
        line("12333", "expert", AnswerWhen::AtOnce),
        line("12336", "general", AnswerWhen::AtOnce),
    ];
    lines[3].phases[0].service = Service::NotServed;
    let seat = |id: u32| {
        let skills: &[&str] = match id % 3 {
            0 => &["general"],
            1 => &["general", "12333"],
            _ => &["12333"],
        };
        let skills = skills.iter().map(|skill| (*skill).to_owned()).collect();
        (SeatId(id), Seat { id: SeatId(id), name: id.to_string(), skills, contact: None })
    };
    Plan {
        deployment: "world".into(),
        lines: lines.into_iter().map(|line| (line.number.clone(), line)).collect(),
        seats: SEATS.into_iter().map(seat).collect(),
        queues,
        ..Plan::default()
    }
}

fn queue(name: &str, skill: &str, max_wait_ms: Option<u32>) -> Queue {
    Queue {
        name: name.into(),
        skill: skill.into(),
        music: PromptName::new("music/waiting"),
        ring_ms: 15_000,
        max_wait_ms,
        overflow_prompt: PromptName::new("overflow/busy"),
        max_waiting: 8,
        wrap_up_ms: 5_000,
    }
}
