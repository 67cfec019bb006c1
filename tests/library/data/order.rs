//! The order of the images of a folder.

use cvae_gpu::data::{Order, Prepare};

use super::folder::{folder, labels, levels, read, read_with};

#[test]
fn names_are_sorted_as_people_count_unless_a_run_was_begun_otherwise() {
    let folder = folder(&[
        ("10/2.png", 1),
        ("10/10.png", 2),
        ("9/1.png", 3),
        ("9/11.png", 4),
        ("9/2.png", 5),
    ]);
    let read = |order| {
        let prepare = Prepare {
            order,
            ..Prepare::default()
        };
        let found = read_with(&folder, prepare);
        (levels(&found), labels(&found), found.classes)
    };
    let (natural, bytes) = (read(Order::Natural), read(Order::Bytes));
    assert_eq!(
        (natural.0, natural.1),
        (vec![3, 5, 4, 1, 2], vec![0, 0, 0, 1, 1])
    );
    assert_eq!(natural.2, ["9", "10"]);
    assert_eq!(
        (bytes.0, bytes.1),
        (vec![2, 1, 3, 4, 5], vec![0, 0, 1, 1, 1])
    );
    assert_eq!(bytes.2, ["10", "9"]);
}

#[test]
fn numbers_in_names_count() {
    let natural = [
        // Equal numbers are sorted by their bytes: a zero before a one.
        "01.png",
        "1.png",
        "2.png",
        "10.png",
        "99999999999999999999999.png",
        "a/2/x.png",
        "a/10/x.png",
        "a1b2.png",
        "a1b10.png",
        "a2.png",
        "b",
        "é3",
        "é20",
    ];
    let files: Vec<(&str, u8)> = natural.into_iter().zip(0..).collect();
    let ordered: Vec<u8> = (0..13).collect();
    assert_eq!(levels(&read(&folder(&files))), ordered);

    let bytes = ["01.png", "10.png", "2.png", "a1b10.png", "a1b2.png"];
    let files: Vec<(&str, u8)> = bytes.into_iter().zip(0..).collect();
    let prepare = Prepare {
        order: Order::Bytes,
        ..Prepare::default()
    };
    assert_eq!(levels(&read_with(&folder(&files), prepare)), ordered[..5]);
}
