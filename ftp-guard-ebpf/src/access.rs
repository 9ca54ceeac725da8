//! The one bounds-checked read primitive, over frames that lie in one piece, frames that do not, and
//! the kernel's own packet buffers.

use core::mem::{MaybeUninit, size_of};

use aya_ebpf::{
    EbpfContext as _,
    bindings::BPF_F_RECOMPUTE_CSUM,
    helpers::{
        bpf_skb_load_bytes, bpf_skb_store_bytes,
        generated::{
            bpf_skb_change_tail, bpf_xdp_adjust_head, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
            bpf_xdp_store_bytes,
        },
    },
    programs::{TcContext, XdpContext},
};

use crate::wire::Plain;

/// A frame that headers are read from.
pub trait Access {
    /// What [`Access::scattered`] returns.
    type Scattered<'a>: Access
    where
        Self: 'a;

    /// Bytes of the frame, from the Ethernet header to its end.
    fn len(&self) -> usize;

    /// The `T` at `offset`, or nothing when the frame ends before it does.
    fn load<T: Plain>(&self, offset: usize) -> Option<T>;

    /// The same frame, read by a helper: the same code for each shape of it.
    fn scattered(&self) -> Self::Scattered<'_>;
}

/// Bytes of the whole frame, those outside the linear part included (kernel 5.18).
#[inline(always)]
pub fn frame_len(ctx: &XdpContext) -> usize {
    // SAFETY: the context is the one that the kernel handed to this program.
    unsafe { bpf_xdp_get_buff_len(ctx.ctx) as usize }
}

/// A frame read by direct access to its linear part.
pub struct Linear<'a> {
    ctx: &'a XdpContext,
    data: usize,
    data_end: usize,
    len: usize,
}

impl<'a> Linear<'a> {
    /// A frame of `len` bytes.
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext, len: usize) -> Self {
        Self {
            ctx,
            data: ctx.data(),
            data_end: ctx.data_end(),
            len,
        }
    }

    /// The linear part alone, as if it were the whole frame: whether it is, only the helper knows, and a call is much for
    /// a frame that is none of FTP. With addresses that are read once more behind it: what the verifier learns of these
    /// does not multiply the ways from there on.
    #[inline(always)]
    pub fn alone(ctx: &'a XdpContext) -> Self {
        // SAFETY: the context is the one that the kernel handed to this program.
        let [data, data_end] = unsafe {
            [
                (&raw const (*ctx.ctx).data).read_volatile() as usize,
                (&raw const (*ctx.ctx).data_end).read_volatile() as usize,
            ]
        };
        Self {
            ctx,
            data,
            data_end,
            len: data_end - data,
        }
    }

    /// What it was made of.
    #[inline(always)]
    pub fn context(&self) -> &'a XdpContext {
        self.ctx
    }

    /// Whether the linear part is the whole frame.
    #[inline(always)]
    pub fn is_whole(&self) -> bool {
        self.data_end - self.data == self.len
    }
}

impl Access for Linear<'_> {
    type Scattered<'a>
        = Scattered<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn load<T: Plain>(&self, offset: usize) -> Option<T> {
        let start = self.data + offset;
        if start + size_of::<T>() > self.data_end {
            return None;
        }
        // SAFETY: the line above proved that the bytes lie inside the packet; any bytes are a `T`. An address
        // that is no multiple of the alignment is what the kernel takes in packets wherever the machine
        // does (x86, arm64), and the target has only one way to load a word. An unaligned read would be one
        // of single bytes.
        Some(unsafe { (start as *const T).read() })
    }

    #[inline(always)]
    fn scattered(&self) -> Scattered<'_> {
        Scattered {
            ctx: self.ctx,
            len: self.len,
        }
    }
}

/// A frame of several buffers (jumbo frames, GRO). Where the headers end up in it is the driver's
/// choice, so every read goes through a helper that finds the bytes wherever they are.
pub struct Scattered<'a> {
    ctx: &'a XdpContext,
    len: usize,
}

impl<'a> Scattered<'a> {
    /// A frame of `len` bytes.
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext, len: usize) -> Self {
        Self { ctx, len }
    }

    /// Copies `len` bytes from `offset` to `target`; whether they were there.
    ///
    /// # Safety
    ///
    /// `target` has room for `len` bytes, which the verifier must be able to see.
    #[inline(always)]
    pub unsafe fn copy(&self, offset: usize, target: *mut u8, len: u32) -> bool {
        let ctx = self.ctx.as_ptr().cast();
        // SAFETY: the caller promises room for what the helper writes.
        unsafe { bpf_xdp_load_bytes(ctx, offset as u32, target.cast(), len) == 0 }
    }

    /// Makes the frame another one, of `len` bytes from `source`; whether that succeeded. The frame must be
    /// in one piece. It grows and shrinks at its head: there is room before every frame, behind it not.
    ///
    /// # Safety
    ///
    /// `source` has `len` bytes, which the verifier must be able to see.
    #[inline(always)]
    pub unsafe fn replace(self, source: *mut u8, len: u32) -> bool {
        let ctx = self.ctx.as_ptr().cast();
        let shift = self.len as i32 - len as i32;
        // SAFETY: the caller promises what the helper reads.
        unsafe {
            bpf_xdp_adjust_head(ctx, shift) == 0
                && bpf_xdp_store_bytes(ctx, 0, source.cast(), len) == 0
        }
    }
}

impl Access for Scattered<'_> {
    type Scattered<'a>
        = Scattered<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn load<T: Plain>(&self, offset: usize) -> Option<T> {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper writes the bytes asked for or fails, and the buffer has their size.
        let result = unsafe {
            bpf_xdp_load_bytes(
                self.ctx.as_ptr().cast(),
                offset as u32,
                value.as_mut_ptr().cast(),
                size_of::<T>() as u32,
            )
        };
        if result != 0 {
            return None;
        }
        // SAFETY: the helper succeeded and so wrote every byte; any bytes are a `T`.
        Some(unsafe { value.assume_init() })
    }

    #[inline(always)]
    fn scattered(&self) -> Scattered<'_> {
        Scattered {
            ctx: self.ctx,
            len: self.len,
        }
    }
}

/// A packet on its way through the traffic control hooks. Its payload is seldom in the linear part.
pub struct Buffer<'a> {
    ctx: &'a TcContext,
}

impl<'a> Buffer<'a> {
    #[inline(always)]
    pub fn new(ctx: &'a TcContext) -> Self {
        Self { ctx }
    }

    /// Copies `len` bytes from `offset` to `target`; whether they were there.
    ///
    /// # Safety
    ///
    /// `target` has room for `len` bytes, which the verifier must be able to see.
    #[inline(always)]
    pub unsafe fn copy(&self, offset: usize, target: *mut u8, len: u32) -> bool {
        // SAFETY: the caller promises room for what the helper writes.
        unsafe {
            bpf_skb_load_bytes(self.ctx.as_ptr().cast(), offset as u32, target.cast(), len) == 0
        }
    }

    /// Makes the packet as long as this, by cutting or growing its end; whether that succeeded. It is one
    /// segment then, whatever it was before.
    #[inline(always)]
    pub fn resize(&self, len: usize) -> bool {
        // SAFETY: the context is the one that the kernel handed to this program.
        unsafe { bpf_skb_change_tail(self.ctx.as_ptr().cast(), len as u32, 0) == 0 }
    }

    /// Overwrites bytes from `offset` on; whether they were there.
    #[inline(always)]
    pub fn store<T>(&self, offset: usize, value: &T) -> bool {
        let (from, len) = ((&raw const *value).cast(), size_of::<T>() as u32);
        let flags = u64::from(BPF_F_RECOMPUTE_CSUM);
        // SAFETY: the helper reads the bytes of `value`, which has no padding where it is used: arrays.
        unsafe {
            bpf_skb_store_bytes(self.ctx.as_ptr().cast(), offset as u32, from, len, flags) == 0
        }
    }
}

impl Access for Buffer<'_> {
    type Scattered<'a>
        = Buffer<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn len(&self) -> usize {
        self.ctx.len() as usize
    }

    #[inline(always)]
    fn load<T: Plain>(&self, offset: usize) -> Option<T> {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the buffer has the size asked for.
        if !unsafe { self.copy(offset, value.as_mut_ptr().cast(), size_of::<T>() as u32) } {
            return None;
        }
        // SAFETY: the helper succeeded and so wrote every byte; any bytes are a `T`.
        Some(unsafe { value.assume_init() })
    }

    #[inline(always)]
    fn scattered(&self) -> Buffer<'_> {
        Buffer { ctx: self.ctx }
    }
}
