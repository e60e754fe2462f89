//! cuBLAS: handles, and the product that candle calls. Products by other names write only memory of the
//! card (`names/cublas.txt`).

use std::ffi::c_void;

use super::context;
use super::handles::{Handle, Object};
use super::pointer::Out;
use super::session::{self, Session};

const SUCCESS: i32 = 0;
const NOT_INITIALIZED: i32 = 1;
const INVALID_VALUE: i32 = 7;
const EXECUTION_FAILED: i32 = 13;

/// The device of a handle.
fn device(handle: Handle) -> Option<i32> {
    session::with(|session| match session.handles.get(handle)? {
        Object::Blas { device } => Ok(*device),
        _ => Err(super::status::Status::INVALID_HANDLE),
    })
    .ok()
}

/// A product, whose result `written` makes unknown.
fn product(handle: Handle, written: impl FnOnce(&mut Session)) -> i32 {
    let Some(device) = device(handle) else { return NOT_INITIALIZED };
    let done = session::with(|session| {
        let card = session.card(device)?.number;
        session.need(card)?;
        session.count_library(device, "blas_workspace");
        written(session);
        Ok(())
    });
    done.map_or(EXECUTION_FAILED, |()| SUCCESS)
}

exported! {
    /// A product by any other name: where its result lies is not looked for.
    fn multiplies(handle: Handle) -> i32 {
        product(handle, Session::written_anywhere)
    }

    fn cublasCreate_v2(to: Out<Handle>) -> i32 {
        let made = context::with_one(|session| {
            let device = context::current_device(session)?;
            session.count_library(device, "blas_handle");
            to.put(session.handles.add(Object::Blas { device }))
        });
        made.map_or(NOT_INITIALIZED, |()| SUCCESS)
    }

    fn cublasDestroy_v2(handle: Handle) -> i32 {
        let gone = session::with(|session| session.handles.remove(handle));
        gone.map_or(NOT_INITIALIZED, |_| SUCCESS)
    }

    fn cublasGetVersion_v2(_handle: Handle, version: Out<i32>) -> i32 {
        version.put(130_100).map_or(INVALID_VALUE, |()| SUCCESS)
    }

    fn cublasSetStream_v2(handle: Handle, _stream: Handle) -> i32 {
        device(handle).map_or(NOT_INITIALIZED, |_| SUCCESS)
    }

    fn cublasGemmEx(
        handle: Handle, _a: i32, _b: i32, _m: i32, _n: i32, _k: i32, _alpha: *const c_void,
        _left: u64, _left_type: i32, _left_stride: i32,
        _right: u64, _right_type: i32, _right_stride: i32, _beta: *const c_void,
        result: u64, _type: i32, _stride: i32, _compute: i32, _algorithm: i32,
    ) -> i32 {
        product(handle, |session| session.written(result))
    }

    fn cublasGemmStridedBatchedEx(
        handle: Handle, _a: i32, _b: i32, _m: i32, _n: i32, _k: i32, _alpha: *const c_void,
        _left: u64, _left_type: i32, _left_stride: i32, _left_apart: i64,
        _right: u64, _right_type: i32, _right_stride: i32, _right_apart: i64, _beta: *const c_void,
        result: u64, _type: i32, _stride: i32, _apart: i64, _count: i32,
        _compute: i32, _algorithm: i32,
    ) -> i32 {
        product(handle, |session| session.written(result))
    }

    fn cublasLtCreate(to: Out<Handle>) -> i32 {
        let made = context::with_one(|session| to.put(session.handles.add(Object::Descriptor)));
        made.map_or(NOT_INITIALIZED, |()| SUCCESS)
    }

    fn cublasLtDestroy(handle: Handle) -> i32 {
        let gone = session::with(|session| session.handles.remove(handle));
        gone.map_or(NOT_INITIALIZED, |_| SUCCESS)
    }
}
