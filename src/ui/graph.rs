//! A graph drawn in lanes beside lines of text, as `git log --graph` does: the newest on top, lines going down to where
//! each came from.

/// A line of the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The lanes, two characters each.
    pub lanes: String,
    /// The node that stands in this line; lines that only join lanes have none.
    pub node: Option<usize>,
}

/// Draws nodes given by what each came from: the position of a later one, or nothing.
#[must_use]
pub fn draw(parents: &[Option<usize>]) -> Vec<Line> {
    let mut lines = Vec::new();
    // The node that each lane leads to.
    let mut lanes: Vec<Option<usize>> = Vec::new();
    for (node, parent) in parents.iter().enumerate() {
        let waiting: Vec<usize> = (0..lanes.len()).filter(|&at| lanes[at] == Some(node)).collect();
        let own = match waiting.split_first() {
            Some((first, others)) => {
                if !others.is_empty() {
                    lines.push(Line { lanes: joint(&lanes, *first, others), node: None });
                    others.iter().for_each(|&at| lanes[at] = None);
                }
                *first
            }
            None => free_lane(&mut lanes),
        };
        lanes[own] = Some(node);
        while lanes.last() == Some(&None) {
            lanes.pop();
        }
        let mark = if parent.is_some() || !waiting.is_empty() { '●' } else { '○' };
        let shown = |(at, lane): (usize, &Option<usize>)| match lane {
            _ if at == own => format!("{mark} "),
            Some(_) => "│ ".to_owned(),
            None => "  ".to_owned(),
        };
        lines.push(Line { lanes: lanes.iter().enumerate().map(shown).collect(), node: Some(node) });
        lanes[own] = *parent;
        while lanes.last() == Some(&None) {
            lanes.pop();
        }
    }
    lines
}

fn free_lane(lanes: &mut Vec<Option<usize>>) -> usize {
    match lanes.iter().position(Option::is_none) {
        Some(free) => free,
        None => {
            lanes.push(None);
            lanes.len() - 1
        }
    }
}

/// The line in which lanes bend over to the first one that leads to the same node.
fn joint(lanes: &[Option<usize>], first: usize, others: &[usize]) -> String {
    let last = others.last().copied().unwrap_or(first);
    let part = |(at, lane): (usize, &Option<usize>)| {
        let between = at >= first && at < last;
        let mark = match lane {
            _ if at == first => '├',
            _ if at == last => '╯',
            _ if others.contains(&at) => '┴',
            Some(_) if between => '┼',
            Some(_) => '│',
            None if between => '─',
            None => ' ',
        };
        [mark, if between { '─' } else { ' ' }]
    };
    lanes.iter().enumerate().flat_map(part).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parents: &[Option<usize>]) -> Vec<String> {
        let shown = |line: Line| match line.node {
            Some(node) => format!("{}{node}", line.lanes),
            None => line.lanes,
        };
        draw(parents).into_iter().map(shown).collect()
    }

    #[test]
    fn lanes_lead_from_each_node_to_what_it_came_from() {
        assert_eq!(text(&[]), [""; 0]);
        assert_eq!(text(&[Some(1), Some(2), None]), ["● 0", "● 1", "● 2"]);
        assert_eq!(text(&[Some(2), Some(2), None]), ["● 0", "│ ● 1", "├─╯", "● 2"]);
        assert_eq!(text(&[None, Some(2), None]), ["○ 0", "● 1", "● 2"]);
        let crossed = text(&[Some(4), Some(3), Some(4), Some(5), Some(5), None]);
        assert_eq!(crossed, ["● 0", "│ ● 1", "│ │ ● 2", "│ ● │ 3", "├─┼─╯", "● │ 4", "├─╯", "● 5"]);
    }
}
