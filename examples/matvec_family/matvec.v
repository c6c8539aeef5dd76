// A serial matrix-vector unit: ROWS sums at once, one input a clock; passes follow each other until all outputs are done.
// Inputs are kept in a small memory while they are loaded, and read from it in every pass.
module matvec #(
    parameter INPUTS = 4,
    parameter OUTPUTS = 4,
    parameter ROWS = 2,               // divides OUTPUTS
    parameter WEIGHT_BITS = 4,        // two's complement
    parameter INPUT_BITS = 4,         // unsigned
    parameter SUM_BITS = 16,          // two's complement
    parameter REGISTER_PRODUCT = 0,
    parameter INDEX_BITS = 2,         // of an input's number
    parameter WORD_BITS = 3,          // of a weight word's number
    parameter WEIGHTS = "weights.hex" // one word of ROWS weights a line: pass after pass, input after input
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     in_valid,
    output wire                     in_ready,
    input  wire [INPUT_BITS-1:0]    in_data,
    output reg                      out_valid,  // one clock high after each pass
    output wire [ROWS*SUM_BITS-1:0] out_data,   // sums of the pass, row 0 lowest
    output reg                      out_last,   // with the last pass of an input vector
    output reg  [31:0]              cycles      // clocks from the first input to the last sum
);
    localparam PASSES = OUTPUTS / ROWS;

    reg [ROWS*WEIGHT_BITS-1:0] weights[0:PASSES*INPUTS-1];
    reg [INPUT_BITS-1:0] inputs[0:INPUTS-1];
    initial $readmemh(WEIGHTS, weights);

    reg                  computing;
    reg [INDEX_BITS-1:0] index;   // input that is loaded or read
    reg [WORD_BITS-1:0]  word;    // weight word that is read
    wire                 last_index = index == INPUTS - 1;
    wire                 last_word = word == PASSES * INPUTS - 1;
    assign in_ready = !computing;

    // Operands, one clock after they were asked for; `first` and `last` go with them.
    reg                         have, first, last, final_pass;
    reg [ROWS*WEIGHT_BITS-1:0]  weight_word;
    reg [INPUT_BITS-1:0]        value;
    always @(posedge clk) begin
        weight_word <= weights[word];
        value       <= inputs[index];
        first       <= index == 0;
        last        <= last_index;
        final_pass  <= last_word;
        have        <= computing && !rst;
        if (in_valid && in_ready) inputs[index] <= in_data;
        if (rst) begin
            computing <= 1'b0;
            index     <= 0;
            word      <= 0;
        end else if (computing || in_valid) begin
            index <= last_index ? 0 : index + 1'b1;
            if (!computing) computing <= last_index;
            else begin
                word <= last_word ? 0 : word + 1'b1;
                if (last_word) computing <= 1'b0;
            end
        end
    end

    wire [ROWS-1:0] done, done_last;
    genvar row;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : lane
            wire signed [WEIGHT_BITS-1:0] weight = weight_word[row*WEIGHT_BITS+:WEIGHT_BITS];
            wire signed [INPUT_BITS:0] positive = {1'b0, value};
            wire signed [WEIGHT_BITS+INPUT_BITS:0] product_now = weight * positive;
            wire signed [WEIGHT_BITS+INPUT_BITS:0] product;
            wire go, starts, ends, ends_all;
            if (REGISTER_PRODUCT != 0) begin : delayed
                reg signed [WEIGHT_BITS+INPUT_BITS:0] kept;
                reg [3:0] control;
                always @(posedge clk) begin
                    kept    <= product_now;
                    control <= rst ? 4'b0 : {have, first, last, final_pass};
                end
                assign product = kept;
                assign {go, starts, ends, ends_all} = control;
            end else begin : direct
                assign product = product_now;
                assign {go, starts, ends, ends_all} = {have, first, last, final_pass};
            end
            reg signed [SUM_BITS-1:0] sum;
            wire signed [SUM_BITS-1:0] wide = product; // sign-extended; SUM_BITS is wide enough for every sum
            always @(posedge clk) if (go) sum <= starts ? wide : sum + wide;
            assign out_data[row*SUM_BITS+:SUM_BITS] = sum;
            assign done[row] = go && ends;
            assign done_last[row] = go && ends && ends_all;
        end
    endgenerate

    reg counting;
    wire taken = in_valid && in_ready;
    always @(posedge clk) begin
        out_valid <= done[0] && !rst;
        out_last  <= done_last[0] && !rst;
        if (rst) counting <= 1'b0;
        else if (taken) counting <= 1'b1;
        else if (out_last) counting <= 1'b0;
        if (taken && (!counting || out_last)) cycles <= 1;
        else if (counting && !out_last) cycles <= cycles + 1;
    end
endmodule
