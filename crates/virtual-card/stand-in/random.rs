//! cuRAND: generators, whose draws write memory of the card and nothing else (`names/curand.txt`).

use super::context;
use super::handles::{Handle, Object};
use super::pointer::Out;
use super::session;

const SUCCESS: i32 = 0;
const NOT_INITIALIZED: i32 = 101;
const LENGTH_NOT_MULTIPLE: i32 = 105;
const LAUNCH_FAILURE: i32 = 201;

fn known(generator: Handle) -> i32 {
    let found = session::with(|session| session.handles.get(generator).map(|_| ()));
    found.map_or(NOT_INITIALIZED, |()| SUCCESS)
}

/// A draw into `to`.
fn draw(generator: Handle, to: u64) -> i32 {
    let is_known = known(generator);
    if is_known != SUCCESS {
        return is_known;
    }
    let drawn = session::with(|session| {
        context::need_card(session)?;
        session.written(to);
        Ok(())
    });
    drawn.map_or(LAUNCH_FAILURE, |()| SUCCESS)
}

exported! {
    fn curandCreateGenerator(to: Out<Handle>, _kind: i32) -> i32 {
        let made = context::with_one(|session| {
            let device = context::current_device(session)?;
            session.count_library(device, "random_generator");
            to.put(session.handles.add(Object::Generator))
        });
        made.map_or(NOT_INITIALIZED, |()| SUCCESS)
    }

    fn curandDestroyGenerator(generator: Handle) -> i32 {
        let gone = session::with(|session| session.handles.remove(generator));
        gone.map_or(NOT_INITIALIZED, |_| SUCCESS)
    }

    fn curandGetVersion(version: Out<i32>) -> i32 {
        version.put(10_400).map_or(NOT_INITIALIZED, |()| SUCCESS)
    }

    fn curandSetStream(generator: Handle, _stream: Handle) -> i32 {
        known(generator)
    }

    fn curandSetPseudoRandomGeneratorSeed(generator: Handle, _seed: u64) -> i32 {
        known(generator)
    }

    fn curandSetGeneratorOffset(generator: Handle, _offset: u64) -> i32 {
        known(generator)
    }

    fn curandGenerateUniform(generator: Handle, to: u64, _count: usize) -> i32 {
        draw(generator, to)
    }

    /// Normal draws come in pairs: an odd count is refused.
    fn curandGenerateNormal(generator: Handle, to: u64, count: usize, _mean: f32, _deviation: f32) -> i32 {
        if !count.is_multiple_of(2) {
            return LENGTH_NOT_MULTIPLE;
        }
        draw(generator, to)
    }
}
