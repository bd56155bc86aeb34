//! Listening quality by the E-model (ITU-T G.107, simplified): from loss and delay to a score from 1 to 4.5.
//!
//! Arithmetic only: the figures come from `rtcp` and `jitter`.

use crate::types::Codec;

/// Rating of a perfect narrow-band connection with all defaults (G.107 7.7).
const BEST_R: f64 = 93.2;
/// Delay in ms beyond which people begin to talk into each other (Cole and Rosenbluth 2001, fitted to G.107).
const TALK_OVER_MS: f64 = 177.3;

/// How a codec bears loss: impairment of the codec itself, and robustness against random loss in percent.
struct Bearing {
    impairment: f64,
    robustness: f64,
}

fn bearing(codec: Codec) -> Bearing {
    match codec {
        // G.113 appendix I: G.711 with concealment.
        Codec::Pcma | Codec::Pcmu => Bearing { impairment: 0.0, robustness: 25.1 },
        // G.113 gives 13 on the wide-band scale of 129 for 64 kbit/s; on ours (129 - 13) / 1.29 = 89.9. Its prediction
        // runs on across lost frames, which costs about as much as the loss itself; 10 is a cautious estimate.
        Codec::G722 => Bearing { impairment: 3.3, robustness: 10.0 },
    }
}

/// Mean opinion score times 100 (100 to 450) for loss in percent (late packets included) and one-way delay in ms.
pub fn mos_x100(codec: Codec, loss_percent: f64, one_way_delay_ms: f64) -> u16 {
    let loss = loss_percent.clamp(0.0, 100.0);
    let delay = one_way_delay_ms.clamp(0.0, 10_000.0);
    let bearing = bearing(codec);
    let delay_impairment = 0.024 * delay + 0.11 * (delay - TALK_OVER_MS).max(0.0);
    let loss_impairment = bearing.impairment + (95.0 - bearing.impairment) * loss / (loss + bearing.robustness);
    let r = (BEST_R - delay_impairment - loss_impairment).clamp(0.0, 100.0);
    // G.107 annex B.
    let mos = if r <= 6.5 { 1.0 } else { 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6 };
    // The clamp keeps it within 100 to 450.
    (mos.clamp(1.0, 4.5) * 100.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_g711_scores_about_4_4() {
        assert!((438..=442).contains(&mos_x100(Codec::Pcma, 0.0, 20.0)), "{}", mos_x100(Codec::Pcma, 0.0, 20.0));
    }

    #[test]
    fn more_loss_or_delay_never_sounds_better() {
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
            for loss in 0..100 {
                for delay in (0..1_000).step_by(50) {
                    let here = mos_x100(codec, f64::from(loss), f64::from(delay));
                    assert!(here >= mos_x100(codec, f64::from(loss + 1), f64::from(delay)));
                    assert!(here >= mos_x100(codec, f64::from(loss), f64::from(delay + 50)));
                    assert!((100..=450).contains(&here));
                }
            }
        }
    }

    #[test]
    fn five_percent_loss_is_heard_and_total_loss_is_the_worst() {
        assert!(mos_x100(Codec::Pcma, 5.0, 50.0) < 400);
        assert_eq!(mos_x100(Codec::Pcma, 100.0, 400.0), 100);
    }
}
