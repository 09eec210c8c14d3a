import CKernels
package import Runtime
package import Tape

/// The memory of one thread that asks for values. Runs allocate nothing.
package final class SparseWorkspace {
  package let matrix: SparseMatrix
  private let workspace: Workspace
  private let buffer: Cells<UInt8>, sums: Cells<UInt8>?, inner: Cells<UInt8>?
  private let outputs: Cells<Int>
  package private(set) var message = ""
  package var base: UnsafeMutableRawPointer { UnsafeMutableRawPointer(buffer.p) }

  package init(_ m: SparseMatrix) throws(Failure) {
    guard let p = m.program else { throw Failure(.invalid, "sparse: not prepared") }
    matrix = m
    workspace = try Workspace(p)
    let size = m.size, elements = m.outputElements + m.stepCount + m.constants.count
    buffer = try Cells(elements * size, filling: 0)
    sums = m.vertices > 0 ? try Cells(m.vertices * size, filling: 0) : nil
    inner = m.request.kind == .normal ? try Cells(m.whole.count * size, filling: 0) : nil
    outputs = try Cells(p.outputTypes[0].count + 1, filling: 0)
    var at = UnsafeMutableRawPointer(buffer.p)
    for (k, t) in p.outputTypes[0].enumerated() {
      outputs[k] = Int(bitPattern: at)
      at += t.bytes
    }
    at = UnsafeMutableRawPointer(buffer.p) + (m.outputElements + m.stepCount) * size
    for (k, c) in m.constants.enumerated() {
      if size == 8 { at.storeBytes(of: c, toByteOffset: 8 * k, as: Double.self) } else { at.storeBytes(of: Float(c), toByteOffset: 4 * k, as: Float.self) }
    }
  }

  /// inputs: variables, data, then what the kind wants besides. Values go to `values`, in the format's order.
  package func values(_ inputs: UnsafePointer<UnsafeRawPointer?>, _ values: UnsafeMutableRawPointer) -> Code {
    let m = matrix, size = m.size
    let out = UnsafeRawPointer(outputs.p).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    let code = workspace.run(inputs: inputs, outputs: out)
    guard code.rawValue >= 0 else {
      message = workspace.message
      return code
    }
    if m.stepCount > 0, let s = m.steps, let sums { ck_sparse_substitute(size, buffer.p, m.outputElements, s.p, sums.p, m.stepCount) }
    let target = inner.map { UnsafeMutableRawPointer($0.p) } ?? values
    read(target)
    if let inner, let starts = m.productStarts, let triples = m.triples {
      let weights = m.request.weighted ? inputs[m.linear.inputs.count] : nil
      if m.request.weighted, weights == nil, m.linear.rowCount > 0 {
        message = "sparse: the weights are NULL"
        return .invalid
      }
      ck_sparse_normal(size, inner.p, weights, starts.p, triples.p, values, m.pattern.count)
    }
    return code
  }

  private struct Piece {
    let size: Int, buffer: UnsafeRawPointer, index: UnsafePointer<Int32>, out: UnsafeMutableRawPointer, count: Int
  }
  /// Entries a piece: each thread takes pieces, and any cut gives the same bits.
  private static let grain = 1 << 15

  private func read(_ target: UnsafeMutableRawPointer) {
    let m = matrix, size = m.size
    guard let index = m.index else { return }
    let n = index.count
    if n < 2 * SparseWorkspace.grain || m.request.threads == 1 {
      ck_sparse_read(size, buffer.p, index.p, target, n)
    } else {
      var piece = Piece(size: size, buffer: UnsafeRawPointer(buffer.p), index: UnsafePointer(index.p), out: target, count: n)
      let threads = m.request.threads == 0 ? Int(ck_processors()) : m.request.threads
      withUnsafeMutablePointer(to: &piece) { p in
        ck_parallel((n + SparseWorkspace.grain - 1) / SparseWorkspace.grain, threads, { context, i in
          guard let context else { return }
          let p = context.assumingMemoryBound(to: Piece.self).pointee, first = i * SparseWorkspace.grain
          ck_sparse_read(p.size, p.buffer, p.index + first, p.out + first * p.size, Swift.min(SparseWorkspace.grain, p.count - first))
        }, p)
      }
    }
    if m.alsoCount > 0, let also = m.also { ck_sparse_add(size, buffer.p, also.p, target, m.alsoCount) }
  }
}
