//! The step state.

use cvae_gpu::ops::state::StepState;
use cvae_gpu::rng::Stream;

#[test]
fn the_words_hold_the_state() {
    let state = StepState::start(0x1234_5678_9abc_def0, Stream::Picture);
    assert_eq!(StepState::from_words(&state.to_words()), Some(state));
}

#[test]
fn an_epoch_ends_when_all_images_are_used() {
    let start = StepState::start(0, Stream::Train);
    let middle = start.advanced(7, 10, 1);
    assert_eq!((middle.epoch, middle.position), (0, 7));
    let end = middle.advanced(3, 10, 1);
    assert_eq!((end.epoch, end.position, end.step), (1, 0, 2));
}
