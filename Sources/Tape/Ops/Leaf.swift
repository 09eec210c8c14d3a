import CKernels

/// Nodes without operands. Runtime supplies input, constant, array and capture; iota has a kernel.
func leafRow(_ s: Structural) -> Row {
  let name = switch s {
  case .input: "input"
  case .constant: "constant"
  case .array: "array"
  case .capture: "capture"
  default: "iota"
  }
  return Row(name: name, infer: { _, _ in .fail(.invalid, "takes no operands") }, derivative: .zero, batching: .leading) { c in
    guard s == .iota else { return "\(name): has no kernel" }
    let (outer, n, inner) = around(c.type.shape, axis: c.attrs[0])
    ck_iota(c.type.dtype.rawValue, c.out, outer, n, inner)
    return nil
  }
}

extension Tape {
  /// 0, 1, 2, … along `axis` (from the end).
  package func iota(_ t: TensorType, axis: Int) -> NodeID {
    guard failure == nil else { return .none }
    guard t.dtype != .bool else { return fail(.dtype, "iota: takes a number, not bool") }
    return add(OpCode(.iota), [], type: intern(t), attrs: [axis])
  }
}
