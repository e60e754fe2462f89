//! How a function's frame is left, as its unwind tables say: where its caller's begins, and where what
//! the caller had in its registers was saved. As much of DWARF's call frame information as compilers use
//! for functions of the usual kind; of the others it is said that they are not of it.

use std::ffi::c_void;

/// The numbers of DWARF's for x86-64.
const FRAME_POINTER: u64 = 6;
const STACK_POINTER: u64 = 7;
const RETURN_ADDRESS: u64 = 16;

/// How the frame is left that an address is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The caller's frame begins `above` a register, the frame pointer or the stack pointer; the return
    /// address lies 8 bytes below that, and the caller's frame pointer at `saved`, if it was saved.
    Usual { by_frame_pointer: bool, above: i32, saved: Option<i32> },
    /// Nobody called it.
    Last,
    /// Not of the usual kind.
    Other,
}

#[repr(C)]
struct Bases {
    text: *const c_void,
    data: *const c_void,
    function: *const c_void,
}

unsafe extern "C" {
    fn _Unwind_Find_FDE(address: *const c_void, bases: *mut Bases) -> *const u8;
}

/// Tables that are read on and on, as the loader mapped them.
struct Reader(*const u8);

impl Reader {
    fn byte(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        // SAFETY: a table is as long as it says, and nothing is read beyond that.
        unsafe {
            let value = self.0.cast::<[u8; N]>().read_unaligned();
            self.0 = self.0.add(N);
            value
        }
    }

    fn unsigned(&mut self) -> u64 {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }

    fn signed(&mut self) -> i64 {
        let (mut value, mut shift) = (0i64, 0);
        loop {
            let byte = self.byte();
            value |= i64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte & 0x80 == 0 {
                let is_negative = byte & 0x40 != 0 && shift < 64;
                return if is_negative { value | (-1 << shift) } else { value };
            }
        }
    }

    fn skip(&mut self, bytes: u64) {
        // SAFETY: as above.
        self.0 = unsafe { self.0.add(bytes as usize) };
    }

    /// Passes over an address that is encoded so; `None` for an encoding that is not known.
    fn skip_encoded(&mut self, encoding: u8) -> Option<()> {
        match encoding & 0x0f {
            0x01 | 0x09 => drop(self.unsigned()),
            0x02 | 0x0a => self.skip(2),
            0x03 | 0x0b => self.skip(4),
            0x00 | 0x04 | 0x0c => self.skip(8),
            _ => return None,
        }
        Some(())
    }
}

/// What functions have in common.
struct Common {
    code_unit: u64,
    data_unit: i64,
    encoding: u8,
    has_length: bool,
    instructions: (Reader, *const u8),
}

/// `None` for what is not of the usual kind, such as the frame of a signal.
fn common(at: *const u8) -> Option<Common> {
    let mut reader = Reader(at);
    let length = u32::from_ne_bytes(reader.bytes());
    let end = reader.0.wrapping_add(length as usize);
    reader.skip(4);
    let version = reader.byte();
    let mut letters = Vec::new();
    loop {
        match reader.byte() {
            0 => break,
            letter => letters.push(letter),
        }
    }
    let (code_unit, data_unit) = (reader.unsigned(), reader.signed());
    let register = if version == 1 { reader.byte().into() } else { reader.unsigned() };
    let (mut encoding, mut has_length) = (0, false);
    for letter in letters {
        match letter {
            b'z' => {
                reader.unsigned();
                has_length = true;
            }
            b'R' => encoding = reader.byte(),
            b'L' => drop(reader.byte()),
            b'P' => {
                let encoding = reader.byte();
                reader.skip_encoded(encoding)?;
            }
            _ => return None,
        }
    }
    let is_usual = register == RETURN_ADDRESS && length != u32::MAX;
    is_usual.then_some(Common {
        code_unit,
        data_unit,
        encoding,
        has_length,
        instructions: (reader, end),
    })
}

/// What is known of a frame at one place of its function. `Err` is not of the usual kind.
#[derive(Debug, Clone, Copy)]
struct Row {
    base: Result<(u64, i64), ()>,
    frame_pointer: Result<Option<i64>, ()>,
    return_address: Result<Option<i64>, ()>,
    has_caller: bool,
}

impl Row {
    fn set(&mut self, register: u64, to: Result<Option<i64>, ()>) {
        match register {
            FRAME_POINTER => self.frame_pointer = to,
            RETURN_ADDRESS => self.return_address = to,
            _ => {}
        }
    }

    fn rule(&self) -> Rule {
        if !self.has_caller {
            return Rule::Last;
        }
        let (Ok((base, above)), Ok(saved), Ok(Some(-8))) =
            (self.base, self.frame_pointer, self.return_address)
        else {
            return Rule::Other;
        };
        let saved = saved.map(i32::try_from).transpose();
        let (Ok(above), Ok(saved)) = (i32::try_from(above), saved) else { return Rule::Other };
        match base {
            FRAME_POINTER => Rule::Usual { by_frame_pointer: true, above, saved },
            STACK_POINTER => Rule::Usual { by_frame_pointer: false, above, saved },
            _ => Rule::Other,
        }
    }
}

/// Follows instructions up to the place that is `within` a function. `None` for one that is not known.
fn follow(
    (mut reader, end): (Reader, *const u8),
    common: &Common,
    (row, first): (&mut Row, Option<Row>),
    within: u64,
) -> Option<()> {
    let (mut place, mut kept) = (0u64, Vec::new());
    while reader.0 < end {
        let instruction = reader.byte();
        let low = u64::from(instruction & 0x3f);
        let mut advance = None;
        match instruction {
            0x40..=0x7f => advance = Some(low),
            0x80..=0xbf => row.set(low, Ok(Some(reader.unsigned() as i64 * common.data_unit))),
            0xc0..=0xff => restore(row, low, first?),
            0x00 => {}
            0x02 => advance = Some(reader.byte().into()),
            0x03 => advance = Some(u16::from_ne_bytes(reader.bytes()).into()),
            0x04 => advance = Some(u32::from_ne_bytes(reader.bytes()).into()),
            0x05 => {
                let register = reader.unsigned();
                row.set(register, Ok(Some(reader.unsigned() as i64 * common.data_unit)));
            }
            0x06 => restore(row, reader.unsigned(), first?),
            0x07 => match reader.unsigned() {
                RETURN_ADDRESS => row.has_caller = false,
                register => row.set(register, Err(())),
            },
            0x08 => row.set(reader.unsigned(), Ok(None)),
            0x09 | 0x14 => {
                let register = reader.unsigned();
                reader.unsigned();
                row.set(register, Err(()));
            }
            0x0a => kept.push(*row),
            0x0b => *row = kept.pop()?,
            0x0c => row.base = Ok((reader.unsigned(), reader.unsigned() as i64)),
            0x0d => row.base = Ok((reader.unsigned(), row.base.ok()?.1)),
            0x0e => row.base = Ok((row.base.ok()?.0, reader.unsigned() as i64)),
            0x0f => {
                let length = reader.unsigned();
                reader.skip(length);
                row.base = Err(());
            }
            0x10 | 0x16 => {
                let register = reader.unsigned();
                let length = reader.unsigned();
                reader.skip(length);
                row.set(register, Err(()));
            }
            0x11 => {
                let register = reader.unsigned();
                row.set(register, Ok(Some(reader.signed() * common.data_unit)));
            }
            0x12 => row.base = Ok((reader.unsigned(), reader.signed() * common.data_unit)),
            0x13 => row.base = Ok((row.base.ok()?.0, reader.signed() * common.data_unit)),
            0x2e => drop(reader.unsigned()),
            _ => return None,
        }
        if let Some(units) = advance {
            place += units * common.code_unit;
            if place > within {
                break;
            }
        }
    }
    Some(())
}

fn restore(row: &mut Row, register: u64, first: Row) {
    match register {
        FRAME_POINTER => row.frame_pointer = first.frame_pointer,
        RETURN_ADDRESS => row.return_address = first.return_address,
        _ => {}
    }
}

/// The rule at an address of code.
pub fn rule(address: usize) -> Rule {
    let none = std::ptr::null();
    let mut bases = Bases { text: none, data: none, function: none };
    // SAFETY: any address may be asked for; the answer is written into `bases`.
    let table = unsafe { _Unwind_Find_FDE(address as *const c_void, &raw mut bases) };
    if table.is_null() {
        return Rule::Last;
    }
    read(table, (address - bases.function.addr()) as u64).unwrap_or(Rule::Other)
}

fn read(table: *const u8, within: u64) -> Option<Rule> {
    let mut reader = Reader(table);
    let length = u32::from_ne_bytes(reader.bytes());
    let end = reader.0.wrapping_add(length as usize);
    let common_at = reader.0;
    let common = common(common_at.wrapping_sub(u32::from_ne_bytes(reader.bytes()) as usize))?;
    reader.skip_encoded(common.encoding)?;
    reader.skip_encoded(common.encoding)?;
    if common.has_length {
        let length = reader.unsigned();
        reader.skip(length);
    }
    let mut row =
        Row { base: Err(()), frame_pointer: Ok(None), return_address: Ok(None), has_caller: true };
    let (Reader(begin), common_end) = common.instructions;
    follow((Reader(begin), common_end), &common, (&mut row, None), u64::MAX)?;
    let first = row;
    follow((reader, end), &common, (&mut row, Some(first)), within)?;
    Some(row.rule())
}
