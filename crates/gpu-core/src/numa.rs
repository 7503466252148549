//! What Linux tells about NUMA nodes: which processors a node has, and on which nodes pages lie.
//!
//! Never asks the kernel to move anything.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use rustix::thread::CpuSet;

use crate::error::{Error, Result};

/// Where the system describes its nodes.
const NODES: &str = "/sys/devices/system/node";

/// Where the system tells on which nodes the pages of this process lie.
const MAPS: &str = "/proc/self/numa_maps";

/// The processors of `node`.
pub(crate) fn processors(node: u32) -> Result<CpuSet> {
    processors_in(Path::new(NODES), node)
}

fn processors_in(nodes: &Path, node: u32) -> Result<CpuSet> {
    let file = nodes.join(format!("node{node}")).join("cpulist");
    let list = std::fs::read_to_string(file).unwrap_or_default();
    let mut processors = CpuSet::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            let known = first..=last.min(CpuSet::MAX_CPU - 1);
            known.for_each(|processor| processors.set(processor));
        }
    }
    if processors.count() == 0 { Err(Error::NodeMissing { node }) } else { Ok(processors) }
}

/// Bytes of the mappings that begin in `addresses`, by the node that they lie on.
pub(crate) fn bytes_on_nodes(addresses: &Range<usize>) -> Result<BTreeMap<u32, u64>> {
    let text = std::fs::read_to_string(MAPS);
    let failed = |error: std::io::Error| error.raw_os_error().unwrap_or_default();
    let text = text.map_err(|error| Error::System { call: MAPS, code: failed(error) })?;
    Ok(parse_maps(&text, addresses))
}

/// Each line is a mapping: its address, its policy, and words such as `N0=512` (pages on node 0) and `kernelpagesize_kB=4`.
fn parse_maps(text: &str, addresses: &Range<usize>) -> BTreeMap<u32, u64> {
    let mut bytes = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let address = words.next().and_then(|word| usize::from_str_radix(word, 16).ok());
        if !address.is_some_and(|address| addresses.contains(&address)) {
            continue;
        }
        let words: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
        let page_kib = words.iter().find(|(name, _)| *name == "kernelpagesize_kB");
        let page_kib = page_kib.and_then(|(_, kib)| kib.parse::<u64>().ok()).unwrap_or(4);
        for (name, pages) in words {
            let node = name.strip_prefix('N').and_then(|node| node.parse::<u32>().ok());
            if let (Some(node), Ok(pages)) = (node, pages.parse::<u64>()) {
                *bytes.entry(node).or_default() += pages * (page_kib << 10);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = "\
55d0c0a00000 default file=/usr/bin/cat mapped=2 N0=2 kernelpagesize_kB=4
7f1200000000 default anon=1536 dirty=1536 active=0 N0=1024 N1=512 kernelpagesize_kB=4
7f1200600000 bind:1 file=/memfd:a\\040N7=9\\040(deleted) huge dirty=3 N1=3 kernelpagesize_kB=2048
7f1200c00000 default
7f1201000000 default stack anon=3 dirty=3 N0=3 kernelpagesize_kB=4
";

    #[test]
    fn pages_are_counted_by_node_in_their_own_size_and_only_in_range() {
        let found = parse_maps(GOLDEN, &(0x7f12_0000_0000..0x7f12_0100_0000));
        assert_eq!(found, BTreeMap::from([(0, 4 << 20), (1, (2 << 20) + (6 << 20))]));
        assert_eq!(parse_maps(GOLDEN, &(0..1)), BTreeMap::new());
        assert_eq!(parse_maps("", &(0..usize::MAX)), BTreeMap::new());
    }

    #[test]
    fn a_node_has_the_processors_of_its_list_and_a_node_without_any_is_refused() {
        let nodes = tempfile::tempdir().unwrap();
        for (node, list) in [(0, "0-2,8,10-11\n"), (1, "\n"), (2, "5000\n")] {
            let folder = nodes.path().join(format!("node{node}"));
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("cpulist"), list).unwrap();
        }
        let found = processors_in(nodes.path(), 0).unwrap();
        let listed: Vec<_> = (0..64).filter(|&processor| found.is_set(processor)).collect();
        assert_eq!(listed, [0, 1, 2, 8, 10, 11]);
        for node in [1, 2, 3] {
            let refused = processors_in(nodes.path(), node).map(|_| ()).unwrap_err();
            assert_eq!(refused, Error::NodeMissing { node });
        }
    }
}
