//! Which lines of a text were taken out and put in.

/// Longest part, in lines, that is compared line by line; beyond it all is taken out and put in.
const MOST: usize = 2_000;

/// The lines that differ, `-` before those that went and `+` before those that came, each with its number.
pub(super) fn diff(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail]);
    let mut text = String::new();
    let (mut i, mut j) = (0, 0);
    let common = if old.len() > MOST || new.len() > MOST { Vec::new() } else { common(old, new) };
    for (a, b) in common.into_iter().chain([(old.len(), new.len())]) {
        for (line, n) in old[i..a].iter().zip(i..) {
            text.push_str(&format!("-{:>5} {line}\n", head + n + 1));
        }
        for (line, n) in new[j..b].iter().zip(j..) {
            text.push_str(&format!("+{:>5} {line}\n", head + n + 1));
        }
        (i, j) = (a + 1, b + 1);
    }
    text
}

/// The longest common subsequence, as pairs of places.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    let mut length = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            length[i * width + j] = match old[i] == new[j] {
                true => length[(i + 1) * width + j + 1] + 1,
                false => length[(i + 1) * width + j].max(length[i * width + j + 1]),
            };
        }
    }
    let (mut pairs, mut i, mut j) = (Vec::new(), 0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if length[(i + 1) * width + j] >= length[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_went_and_came_have_their_numbers() {
        let (before, after) = ("a\nb\nc\nd\ne\n", "a\nc\nx\nd\ne\nf\n");
        assert_eq!(diff(before, after), "-    2 b\n+    3 x\n+    6 f\n");
        assert_eq!(diff("a\n", "a\n"), "");
        assert_eq!(diff("", "a\n"), "+    1 a\n");
        assert_eq!(diff("a\nb\n", "c\n"), "-    1 a\n-    2 b\n+    1 c\n");
    }
}
