//! How bytes are cut into packets changes nothing: a sample of the cases, cut in two at every place, and into single bytes.

use crate::{
    backends::{self, BACKENDS, Way},
    case::Case,
    cases,
    exchange::{self, Sequence},
    judge,
    report::Complaints,
};

/// Of every kind of end that a message has, and of every kind of mistake that a cut could hide.
const SAMPLE: [&str; 12] = [
    "method GET",
    "a body",
    "a chunk extension",
    "a trailer",
    "an empty line in front",
    "close",
    "request line: ends in a bare LF",
    "line: the head ends in a bare LF",
    "fold: a value",
    "codings: and a length behind",
    "chunk: its data ends in a bare LF",
    "behind chunks: another last chunk",
];

#[test]
fn requests_through_two_sidecars_may_be_cut_anywhere() {
    try_cuts(Way::Mesh);
}

#[test]
fn requests_from_outside_the_mesh_may_be_cut_anywhere() {
    try_cuts(Way::Inbound);
}

fn try_cuts(way: Way) {
    let mesh = backends::up(way);
    let cases: Vec<Case> = cases::all().into_iter().filter(|case| SAMPLE.contains(&case.name.as_str())).collect();
    assert_eq!(cases.len(), SAMPLE.len(), "a case of the sample has another name now");
    let cut = cases.iter().flat_map(|case| Cut::all(case).map(move |cut| (case, cut)));
    let cut: Vec<(&Case, Vec<Vec<u8>>)> =
        cut.enumerate().map(|(number, (case, cut))| (case, cut.pieces(&case.sent(number)))).collect();
    // They take turns: the cases have shown already that all backends read them alike.
    let turns = || BACKENDS.iter().cycle();
    let sequences: Vec<Sequence> =
        cut.iter().zip(turns()).map(|((case, pieces), backend)| case.sequence(&[backend], pieces.clone())).collect();
    let told = exchange::send(&mesh, way, &sequences);
    let seen = BACKENDS.map(|backend| (backend, backends::seen(mesh.folder(), backend)));
    let mut wrong = Complaints::default();
    for (number, ((case, pieces), (backend, seen))) in cut.iter().zip(seen.iter().cycle()).enumerate() {
        let name = format!("{}, {} pieces, the first of {} bytes", case.name, pieces.len(), pieces[0].len());
        let came = told.of(backend, number);
        wrong.add(backend, &name, (&case.bytes, came), judge::complaints(case, came, seen.get(&number)));
    }
    wrong.report(way);
}

/// Where bytes are cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    InTwo(usize),
    OneByOne,
}

impl Cut {
    /// In two at every place of a case, and one by one. The last place falls behind the first byte of the marker.
    fn all(case: &Case) -> impl Iterator<Item = Self> + use<> {
        (1..=case.length() + 1).map(Self::InTwo).chain([Self::OneByOne])
    }

    fn pieces(self, sent: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::InTwo(place) => vec![sent[..place].to_vec(), sent[place..].to_vec()],
            Self::OneByOne => sent.iter().map(|byte| vec![*byte]).collect(),
        }
    }
}
