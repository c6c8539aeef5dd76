// Watches an engine from within, in simulation alone: which states, transitions, options and events occurred.
//
// It is bound into engine_core and only reads. Plusargs say what it writes:
//   +watch=FILE   at the end, all counts (codesign.simulate.engine_coverage reads them), a line each:
//                 "M machine before after clocks", "E event clocks", "X error times", "O option layers", "L layer times"
//   +words=FILE   as they happen, of image +image=N (N images were answered before it): "S clock layer" where a layer
//                 starts, "W clock layer last address word answer" for each result that is written; and of every stop
//                 "H clock state layer image error since", where the sequencer was in that state since clock `since`
// A clock is counted from 0, the first rising edge of the simulation.
module engine_watch #(
    parameter WORD = 8,
    parameter ADDRESS = 20
) (
    input               clk,
    input               rst,
    input               halt,
    input               clear,
    input [2:0]         sequencer,
    input [1:0]         issue,          // running, waiting
    input [1:0]         image_loader,   // active, full
    input [2:0]         weight_loader,  // active, full, in the weights
    input [2:0]         unload,         // reading, valid, ending
    input [3:0]         error,
    input [5:0]         layer,
    input               layer_start,
    input               image_done,
    input [11:0]        options,
    input [1:0]         read_bank0,
    input [1:0]         write_bank,
    input [9:0]         handshakes,     // valid, ready of: images, weights, answers, write answers, read answers
    input [1:0]         write_request,  // address valid, data valid
    input               result_write,
    input               result_last,
    input [ADDRESS-1:0] result_address,
    input [WORD-1:0]    result_word,
    input [31:0]        result_answer
);

  localparam MACHINES = 5;
  localparam EVENTS = 14;
  localparam OPTIONS = 20;
  localparam ISSUE = 1;  // the machine that changes often; its moves are counted one by one
  localparam [2:0] IDLE = 3'd0, WAIT = 3'd5;

  longint unsigned moves[0:MACHINES*64-1];
  longint unsigned events[0:EVENTS-1];
  longint unsigned errors[0:15];
  longint unsigned chosen[0:OPTIONS-1];
  longint unsigned layers[0:63];
  longint unsigned clocks = 0, since = 0, images = 0;
  longint unsigned same = 0;  // clocks in which nothing has changed
  longint unsigned image = 64'hffff_ffff_ffff_ffff;
  string counts_file, words_file;
  bit counting = 0, logging = 0, known = 0;
  integer words = 0, file, index;

  // All that is counted clock by clock. Mostly it stays as it was, which costs one comparison.
  typedef struct packed {
    logic       done;
    logic       clear;
    logic [3:0] error;
    logic [1:0] write_request;
    logic [9:0] handshakes;
    logic [2:0] unload;
    logic [2:0] weight_loader;
    logic [1:0] image_loader;
    logic [2:0] sequencer;
  } view_t;
  view_t was, now;
  longint unsigned issued[0:15];  // by issue before and now
  logic [1:0] was_issue;

  // The states of the smaller machines, numbered as the reader of the counts names them.
  function automatic [2:0] state_of(input integer machine, input view_t view);
    case (machine)
      0: state_of = view.sequencer;
      2: state_of = view.image_loader[1] ? 3'd1 : view.image_loader[0] ? 3'd2 : 3'd0;
      3: state_of = view.weight_loader[2] ? (view.weight_loader[0] ? 3'd2 : 3'd1) : view.weight_loader[1] ? 3'd3 : 3'd0;
      default: state_of = view.unload[0] ? 3'd3 : view.unload[1] ? 3'd2 : view.unload[2] ? 3'd1 : 3'd0;
    endcase
  endfunction

  function automatic [2:0] issue_of(input [1:0] value);
    issue_of = !value[1] ? 3'd0 : value[0] ? 3'd2 : 3'd1;
  endfunction

  // Count `times` clocks from view `from` to view `to`.
  task automatic count(input view_t from, input view_t to, input longint unsigned times);
    reg [EVENTS-1:0] met;
    for (integer machine = 0; machine < MACHINES; machine = machine + 1)
      if (machine != ISSUE) moves[{machine[2:0], state_of(machine, from), state_of(machine, to)}] += times;
    met = {
      1'b0,
      to.clear && state_of(4, to) == 3'd2,
      to.clear && to.sequencer != IDLE,
      to.sequencer == WAIT && state_of(3, to) == 3'd2,
      to.sequencer == WAIT && state_of(2, to) == 3'd1,
      to.write_request == 2'b01,
      to.write_request == 2'b10,
      to.handshakes[1:0] == 2'b10,
      to.handshakes[3:2] == 2'b10,
      to.handshakes[5:4] == 2'b10,
      to.handshakes[7:6] == 2'b10,
      to.handshakes[7:6] == 2'b01,
      to.handshakes[9:8] == 2'b10,
      to.handshakes[9:8] == 2'b01
    };
    if (met != 0)
      for (integer event_number = 0; event_number < EVENTS; event_number = event_number + 1)
        if (met[event_number]) events[event_number] += times;
  endtask

  initial begin
    for (index = 0; index < MACHINES * 64; index = index + 1) moves[index] = 0;
    for (index = 0; index < 16; index = index + 1) issued[index] = 0;
    for (index = 0; index < EVENTS; index = index + 1) events[index] = 0;
    for (index = 0; index < 16; index = index + 1) errors[index] = 0;
    for (index = 0; index < OPTIONS; index = index + 1) chosen[index] = 0;
    for (index = 0; index < 64; index = index + 1) layers[index] = 0;
    if ($value$plusargs("watch=%s", counts_file)) counting = 1;
    if ($value$plusargs("words=%s", words_file)) begin
      logging = 1;
      words = $fopen(words_file, "w");
      if (!$value$plusargs("image=%d", image)) image = 0;
    end
  end

  always @(posedge clk) begin
    now = {
      image_done, clear, error, write_request, handshakes, unload, weight_loader, image_loader, sequencer
    };
    if (logging) begin
      if (halt && known && sequencer != IDLE)
        $fwrite(words, "H %0d %0d %0d %0d %0d %0d\n", clocks, sequencer, layer, images, error, since);
      if (images == image) begin
        if (layer_start) $fwrite(words, "S %0d %0d\n", clocks, layer);
        if (result_write)
          $fwrite(words, "W %0d %0d %0d %0d %0h %0h\n", clocks, layer, result_last, result_address, result_word,
              result_answer);
      end
    end
    if (known) issued[{was_issue, issue}] += 1;
    was_issue = issue;
    if (known && !rst && now == was) begin
      same = same + 1;
    end else begin
      if (counting && same != 0) count(was, was, same);
      same = 0;
      if (rst) begin
        if (known && was.sequencer != IDLE) events[EVENTS-1] += 1;
      end else begin
        if (counting && known) begin
          count(was, now, 1);
          if (now.error != 0 && was.error == 0) errors[now.error] += 1;
          if (layer_start) begin  // which lasts a clock, in a state of its own
            layers[layer] += 1;
            for (index = 0; index < 12; index = index + 1) if (options[index]) chosen[index] += 1;
            chosen[12+{3'd0, read_bank0}] += 1;
            chosen[16+{3'd0, write_bank}] += 1;
          end
        end
        if (!known || now.sequencer != was.sequencer) since = clocks;
        if (now.done) images = images + 1;
      end
      known = !rst;
      was = now;
    end
    clocks = clocks + 1;
  end

  final begin
    if (logging) $fclose(words);
    if (counting) begin
      if (same != 0) count(was, was, same);
      for (index = 0; index < 16; index = index + 1)
        moves[{ISSUE[2:0], issue_of(index[3:2]), issue_of(index[1:0])}] += issued[index];
      file = $fopen(counts_file, "w");
      for (index = 0; index < MACHINES * 64; index = index + 1)
        if (moves[index] != 0)
          $fwrite(file, "M %0d %0d %0d %0d\n", index >> 6, (index >> 3) & 7, index & 7, moves[index]);
      for (index = 0; index < EVENTS; index = index + 1) $fwrite(file, "E %0d %0d\n", index, events[index]);
      for (index = 1; index < 16; index = index + 1) $fwrite(file, "X %0d %0d\n", index, errors[index]);
      for (index = 0; index < OPTIONS; index = index + 1) $fwrite(file, "O %0d %0d\n", index, chosen[index]);
      for (index = 0; index < 64; index = index + 1)
        if (layers[index] != 0) $fwrite(file, "L %0d %0d\n", index, layers[index]);
      $fclose(file);
    end
  end

endmodule

bind engine_core engine_watch #(
    .WORD(WORD),
    .ADDRESS(ADDRESS)
) watch (
    .clk(clk),
    .rst(rst),
    .halt(halt),
    .clear(clear),
    .sequencer(sequencer.state),
    .issue({order.running, order.waiting}),
    .image_loader({image_loader.active, image_full}),
    .weight_loader({weight_loader.active, weight_full, weight_loader.in_weights}),
    .unload({unload.reading, unload.valid, unload.ending}),
    .error(error),
    .layer(layer),
    .layer_start(layer_start),
    .image_done(unload_done & ~halt),
    .options({group_step != 0, count > 16'd1, groups > 16'd1, kernel_height > 8'd1 || kernel_width > 8'd1,
        stride > 4'd1, padding != 4'd0, two_sources, bipolar, signed1, signed0, maximum, last}),
    .read_bank0(read_bank0),
    .write_bank(write_bank),
    .handshakes({s_axis_data_tvalid, s_axis_data_tready, s_axis_weight_tvalid, s_axis_weight_tready, m_axis_tvalid,
        m_axis_tready, s_axi_bvalid, s_axi_bready, s_axi_rvalid, s_axi_rready}),
    .write_request({s_axi_awvalid, s_axi_wvalid}),
    .result_write(result_write),
    .result_last(last),
    .result_address(result_address),
    .result_word(result_word),
    .result_answer(result_answer)
);
